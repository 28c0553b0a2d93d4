//! Templates: no input panics, no undefined name is ignored, and a value changes only its own
//! string.

use orchestrator::template::{MAX_RENDERED, collect_names, render};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn variables(value: &str) -> Map<String, Value> {
    json!({ "value": value, "list": [1, "two", null], "nodes": { "scan": { "output": { "total": 3 } } } })
        .as_object()
        .cloned()
        .unwrap()
}

/// Parts of templates, combined in any order. Few of the results are valid.
fn leaf() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "{{",
            "}}",
            "{%",
            "%}",
            "{#",
            "#}",
            "{{ value }}",
            "{{ list }}",
            "{{ nodes.scan.output.total }}",
            "{{ missing }}",
            "{{ value | upper }}",
            "{{ list | join(',') }}",
            "{% if value %}",
            "{% else %}",
            "{% endif %}",
            "{% for x in list %}",
            "{{ x }}",
            "{% endfor %}",
            "{% set y = value ~ value %}",
            "{{ y }}",
            "{% raw %}",
            "{% endraw %}",
            "'",
            "\"",
            "|",
            " default('d') ",
            "range(9)",
            "[0]",
            ".",
            "(",
            ")",
            "-",
            "{{ value[0:2] }}",
            "{{ 1 / 0 }}",
            "{{ value.x.y }}",
            "{{ list | tojson }}",
            "\n",
        ])
        .prop_map(str::to_owned),
        ".{0,6}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(512)
    })]

    #[test]
    fn no_template_and_no_value_panic_and_what_comes_out_is_bounded(leaf in leaf(), value in ".{0,40}") {
        let input = json!({ "leaf": leaf, "deep": [{ "a/b": leaf }], "plain": 7 });
        let known = collect_names(&input);
        match render(&input, &variables(&value)) {
            Ok(rendered) => {
                prop_assert!(known.is_ok(), "a rendered template has valid names: {known:?}");
                prop_assert!(rendered.to_string().len() <= 2 * MAX_RENDERED + 100);
                prop_assert_eq!(&rendered["leaf"], &rendered["deep"][0]["a/b"]);
                prop_assert_eq!(&rendered["plain"], 7);
            }
            Err(error) => prop_assert!(error.path.starts_with('/') && !error.reason.is_empty(), "{error}"),
        }
    }

    #[test]
    fn a_value_is_never_a_template(value in leaf()) {
        let rendered = render(&json!(["{{ value }}", "<{{ value }}>"]), &variables(&value)).unwrap();
        prop_assert_eq!(rendered[0].as_str(), Some(value.as_str()));
        prop_assert_eq!(rendered[1].as_str().unwrap(), format!("<{value}>"));
    }

    #[test]
    fn what_holds_no_marker_is_left_as_it_is(value in any::<String>(), number in any::<i64>()) {
        let value = value.replace('{', "");
        let input = json!({ value.clone(): [value, number, null, true] });
        prop_assert_eq!(render(&input, &Map::new()).unwrap(), input);
    }
}

#[test]
fn a_template_that_exceeds_a_limit_is_an_error() {
    for leaf in [
        "{{ range(99999) }}",
        "{{ 'x' * 300000 }}",
        "{% for a in range(500) %}{{ value }}{% endfor %}",
    ] {
        let error = render(&json!(leaf), &variables(&"x".repeat(1_000))).unwrap_err();
        assert!(error.reason.contains("more than 262144 bytes"), "{leaf}: {error}");
    }
    for leaf in [
        "{{ 'x' * 2000000000 }}",
        "{{ range(100000) | list + range(100000) | list }}",
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    ] {
        let error = render(&json!(leaf), &Map::new()).unwrap_err();
        assert!(error.reason.contains("more than 50000 instructions"), "{leaf}: {error}");
    }
}

#[test]
fn a_template_reads_only_the_variables_of_the_run() {
    for leaf in [
        "{{ env.HOME }}",
        "{{ environ }}",
        "{% include '/etc/passwd' %}",
        "{% import 'x' as x %}",
        "{% extends '/etc/passwd' %}",
        "{{ self }}",
        "{{ value.__class__ }}",
        "{{ value.__init__.__globals__ }}",
    ] {
        let rendered = render(&json!(leaf), &variables("v"));
        assert!(rendered.is_err(), "{leaf}: {rendered:?}");
    }
    let shown = render(&json!("{{ debug() }}"), &variables("v"));
    if let Ok(shown) = shown {
        let path = std::env::vars_os().find(|(name, _)| name == "PATH").map(|(_, value)| value);
        assert!(!shown.to_string().contains(path.unwrap_or_default().to_str().unwrap()), "{shown}");
    }
}
