//! `--config FILE`: the keys of a TOML file are defaults of the flags with the same name.

use clap::Command;
use clap::error::ErrorKind;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Variable of `--config`.
const VARIABLE: &str = "HUB_CONFIG";

/// Sets the values of the file as defaults of the subcommands, if the arguments or the environment
/// name a file.
pub(super) fn apply(mut command: Command, arguments: &[OsString]) -> Result<Command, clap::Error> {
    let Some(path) = file(arguments) else { return Ok(command) };
    let fail =
        |command: &mut Command, text: String| Err(command.error(ErrorKind::InvalidValue, text));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            return fail(
                &mut command,
                format!("cannot read the configuration file `{}`: {error}", path.display()),
            );
        }
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            return fail(
                &mut command,
                format!("the configuration file `{}` is not TOML: {error}", path.display()),
            );
        }
    };
    let flags = flags(&command);
    for (key, value) in &table {
        let flag = key.replace('_', "-");
        if !flags.contains(&flag) {
            let choices = flags.join(", ");
            return fail(
                &mut command,
                format!("`{key}` in `{}` is not a flag; expected one of {choices}", path.display()),
            );
        }
        let Some(value) = plain(value) else {
            return fail(
                &mut command,
                format!(
                    "`{key}` in `{}` is not a string, number, boolean or array",
                    path.display()
                ),
            );
        };
        command = command.mut_subcommands(|subcommand| with_default(subcommand, &flag, &value));
    }
    Ok(command)
}

fn with_default(command: Command, flag: &str, value: &str) -> Command {
    command.mut_args(|argument| {
        if argument.get_long() == Some(flag) {
            argument.default_value(value.to_owned())
        } else {
            argument
        }
    })
}

fn flags(command: &Command) -> Vec<String> {
    let all = command.get_subcommands().flat_map(Command::get_arguments);
    let mut flags: Vec<_> =
        all.filter_map(|argument| argument.get_long()).map(str::to_owned).collect();
    flags.retain(|flag| !["config", "help", "version"].contains(&flag.as_str()));
    flags.sort_unstable();
    flags.dedup();
    flags
}

fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(yes) => Some(yes.to_string()),
        toml::Value::Array(items) => {
            items.iter().map(plain).collect::<Option<Vec<_>>>().map(|it| it.join(","))
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

fn file(arguments: &[OsString]) -> Option<PathBuf> {
    let mut arguments = arguments.iter().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == OsStr::new("--config") {
            return arguments.next().map(PathBuf::from);
        }
        if let Some(path) = argument.to_str().and_then(|text| text.strip_prefix("--config=")) {
            return Some(Path::new(path).to_owned());
        }
    }
    #[expect(clippy::disallowed_methods, reason = "read before clap reads the other variables")]
    std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}
