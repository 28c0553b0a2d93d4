//! Module structure: no circles of more than two files, and few thread-locals.
//!
//! The graph has one node per file and one edge per `crate::…` or `super::…` path that leads to another file. Re-exports
//! are followed to the file of the definition. Tests (`#[cfg(test)]`), `mod` declarations and `child::…` paths of a
//! module to its own parts do not count.

use crate::root;
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Roots of the crates under the rule.
const CRATES: [&str; 5] = [
    "hub-otel/src/lib.rs",
    "hub-otel-macros/src/lib.rs",
    "xtask/src/lib.rs",
    "examples/orchestrator/src/lib.rs",
    "examples/orchestrator/src/main.rs",
];

/// Largest permitted circle.
const MAX_CIRCLE: usize = 2;

/// Largest permitted number of thread-locals in the library, all in one file.
const MAX_THREAD_LOCALS: usize = 2;

#[test]
fn no_circle_of_modules_is_larger_than_two_files() {
    let mut circles = Vec::new();
    for crate_root in CRATES.iter().filter(|crate_root| root().join(crate_root).exists()) {
        let modules = Crate::read(&root().join(crate_root));
        let edges = modules.edges();
        let graph: DiGraphMap<&Path, ()> =
            edges.keys().map(|(from, to)| (from.as_path(), to.as_path())).collect();
        for circle in tarjan_scc(&graph).iter().filter(|circle| circle.len() > MAX_CIRCLE) {
            let inside = edges
                .iter()
                .filter(|((from, to), _)| {
                    circle.contains(&from.as_path()) && circle.contains(&to.as_path())
                })
                .map(|((from, to), path)| format!("  {} → {} ({path})", short(from), short(to)));
            circles.push(format!(
                "{crate_root}: {} files\n{}",
                circle.len(),
                inside.collect::<Vec<_>>().join("\n")
            ));
        }
    }
    assert!(circles.is_empty(), "circles of modules:\n{}", circles.join("\n"));
}

#[test]
fn the_library_has_at_most_two_thread_locals_in_one_file() {
    let mut found = BTreeMap::new();
    for file in crate::files(&root().join("hub-otel/src"), ".rs") {
        let tokens: TokenStream = crate::read(&file).parse().expect("Rust source");
        let count = count_thread_locals(tokens);
        if count > 0 {
            found.insert(short(&file), count);
        }
    }
    let count: usize = found.values().sum();
    assert!(found.len() <= 1 && count <= MAX_THREAD_LOCALS, "thread-locals: {found:?}");
}

fn short(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

/// Counts the statics in `thread_local!` blocks.
fn count_thread_locals(tokens: TokenStream) -> usize {
    let mut count = 0;
    let mut in_thread_local = false;
    for token in tokens {
        match token {
            TokenTree::Ident(name) => in_thread_local = name == "thread_local",
            TokenTree::Group(group) if in_thread_local => {
                let is_static = |token: &TokenTree| matches!(token, TokenTree::Ident(name) if *name == "static");
                count += group.stream().into_iter().filter(is_static).count();
                in_thread_local = false;
            }
            TokenTree::Group(group) => count += count_thread_locals(group.stream()),
            // The `!` between the name and the block.
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    count
}

/// Absolute path of a module or an item, without the leading `crate`.
type ModulePath = Vec<String>;

/// Modules of one crate.
#[derive(Default)]
struct Crate {
    modules: BTreeMap<ModulePath, Module>,
}

/// A module and everything it names.
#[derive(Default)]
struct Module {
    file: PathBuf,
    /// Imported names and the paths of their definitions.
    imports: BTreeMap<String, ModulePath>,
    /// Every path of the source, as written.
    paths: BTreeSet<Vec<String>>,
}

impl Crate {
    fn read(crate_root: &Path) -> Self {
        let mut modules = Self::default();
        let folder = crate_root.parent().expect("the file is in a folder");
        modules.read_file(crate_root, folder, Vec::new());
        modules
    }

    /// Reads `file` as the module `path`. `folder` contains the files of its children.
    fn read_file(&mut self, file: &Path, folder: &Path, path: ModulePath) {
        let source = syn::parse_file(&crate::read(file))
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.read_items(&source.items, file, folder, path);
    }

    fn read_items(&mut self, items: &[syn::Item], file: &Path, folder: &Path, path: ModulePath) {
        let mut module = Module { file: file.to_path_buf(), ..Module::default() };
        for item in items {
            match item {
                syn::Item::Mod(child) if is_test(&child.attrs) => {}
                syn::Item::Mod(child) => {
                    let name = child.ident.to_string();
                    let child_path = [path.clone(), vec![name.clone()]].concat();
                    let child_folder = folder.join(&name);
                    match &child.content {
                        Some((_, items)) => self.read_items(items, file, &child_folder, child_path),
                        None => {
                            let file = path_attribute(&child.attrs).map_or_else(
                                || folder.join(format!("{name}.rs")),
                                |path| folder.join(path),
                            );
                            let file =
                                if file.exists() { file } else { child_folder.join("mod.rs") };
                            self.read_file(&file, &child_folder, child_path);
                        }
                    }
                }
                item => {
                    let tokens = item.to_token_stream();
                    if is_test_item(&tokens) {
                        continue;
                    }
                    let mut paths = Vec::new();
                    collect_paths(tokens, &mut paths);
                    if let syn::Item::Use(import) = item {
                        collect_imports(&import.tree, &[], &mut |name, target| {
                            module.imports.insert(name, target);
                        });
                    }
                    module.paths.extend(paths);
                }
            }
        }
        self.modules.insert(path, module);
    }

    /// Pairs of files, each with one path that leads from the first to the second.
    fn edges(&self) -> BTreeMap<(PathBuf, PathBuf), String> {
        let mut edges = BTreeMap::new();
        for (path, module) in &self.modules {
            for written in &module.paths {
                let target = self.absolute(path, written).and_then(|target| self.file(&target, 0));
                if let Some(target) = target.filter(|target| **target != module.file) {
                    edges.insert((module.file.clone(), target.clone()), written.join("::"));
                }
            }
        }
        edges
    }

    /// Resolves the leading `crate`, `self` or `super`. `None`: a child module, another crate or a type.
    fn absolute(&self, module: &[String], written: &[String]) -> Option<ModulePath> {
        let mut base = module.to_vec();
        let mut rest = written;
        match written.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &written[1..];
            }
            "self" => rest = &written[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            _ => return None,
        }
        Some([base, rest.to_vec()].concat())
    }

    /// File of the definition at `target`.
    fn file(&self, target: &[String], depth: usize) -> Option<&PathBuf> {
        let known = (0..=target.len())
            .rev()
            .find(|length| self.modules.contains_key(&target[..*length]))?;
        let module = &self.modules[&target[..known]];
        let import = target.get(known).and_then(|name| module.imports.get(name));
        if let Some(import) = import.filter(|_| depth < 8)
            && let Some(import) = self.absolute(&target[..known], import)
        {
            let definition = [&import, &target[known + 1..]].concat();
            return self.file(&definition, depth + 1);
        }
        Some(&module.file)
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| is_test_item(&attribute.to_token_stream()))
}

/// Returns whether the tokens begin with `#[cfg(test)]`, possibly after other attributes.
fn is_test_item(tokens: &TokenStream) -> bool {
    let mut tokens = tokens.clone().into_iter();
    while let (Some(TokenTree::Punct(hash)), Some(TokenTree::Group(attribute))) =
        (tokens.next(), tokens.next())
    {
        if hash.as_char() != '#' {
            return false;
        }
        if attribute.stream().to_string().replace(' ', "").starts_with("cfg(test") {
            return true;
        }
    }
    false
}

fn path_attribute(attributes: &[syn::Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) = &pair.value else {
            return None;
        };
        pair.path.is_ident("path").then(|| path.value())
    })
}

/// Reports each imported name with the path of its definition.
fn collect_imports(
    tree: &syn::UseTree,
    prefix: &[String],
    report: &mut impl FnMut(String, ModulePath),
) {
    let joined = |name: String| [prefix, &[name]].concat();
    match tree {
        syn::UseTree::Path(path) => {
            collect_imports(&path.tree, &joined(path.ident.to_string()), report);
        }
        syn::UseTree::Name(name) if name.ident == "self" => {
            if let Some(last) = prefix.last() {
                report(last.clone(), prefix.to_vec());
            }
        }
        syn::UseTree::Name(name) => report(name.ident.to_string(), joined(name.ident.to_string())),
        syn::UseTree::Rename(rename) => {
            report(rename.rename.to_string(), joined(rename.ident.to_string()));
        }
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                collect_imports(tree, prefix, report);
            }
        }
        syn::UseTree::Glob(_) => {}
    }
}

/// Collects the paths with at least two segments, also inside macro calls.
fn collect_paths(tokens: TokenStream, paths: &mut Vec<Vec<String>>) {
    collect_paths_below(tokens, &[], paths);
}

/// Collects paths. `prefix` is the path before a group of imports, and empty elsewhere.
fn collect_paths_below(tokens: TokenStream, prefix: &[String], paths: &mut Vec<Vec<String>>) {
    // The path that is being read, and the number of colons after its last segment.
    let mut path: Vec<String> = prefix.to_vec();
    let mut colons = 2;
    for token in tokens {
        match token {
            TokenTree::Ident(name) => {
                if colons != 2 {
                    finish(&mut path, prefix, paths);
                }
                path.push(name.to_string());
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Punct(punct)
                if punct.as_char() == '*' && colons == 2 && !path.is_empty() =>
            {
                path.push("*".to_owned());
                colons = 0;
            }
            TokenTree::Group(group) if colons == 2 && is_import_group(&group, &path) => {
                collect_paths_below(group.stream(), &path, paths);
                path = prefix.to_vec();
            }
            TokenTree::Group(group) => {
                finish(&mut path, prefix, paths);
                colons = 2;
                collect_paths_below(group.stream(), &[], paths);
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {
                finish(&mut path, prefix, paths);
                colons = 2;
            }
        }
    }
    finish(&mut path, prefix, paths);
}

fn is_import_group(group: &Group, path: &[String]) -> bool {
    group.delimiter() == Delimiter::Brace && !path.is_empty()
}

/// Ends the path that is being read.
fn finish(path: &mut Vec<String>, prefix: &[String], paths: &mut Vec<Vec<String>>) {
    let path = std::mem::replace(path, prefix.to_vec());
    if path.len() > prefix.len().max(1) {
        paths.push(path);
    }
}
