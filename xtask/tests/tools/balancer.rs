//! The configuration of the load balancer, read by HAProxy (`apt-get install haproxy`).

use crate::text_of;
use std::fs;
use std::process::{Command, Output};
use xtask::files::root;

fn check(text: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("haproxy.cfg");
    fs::write(&file, text).expect("written");
    let mut haproxy = Command::new("haproxy");
    haproxy.arg("-c").arg("-f").arg(&file).output().expect("haproxy is installed")
}

#[test]
#[ignore = "needs haproxy: apt-get install haproxy"]
fn the_configuration_of_the_balancer_is_valid_and_a_misspelt_option_is_reported() {
    let file = root().join("observability/balancer/haproxy.cfg");
    let text = fs::read_to_string(file).expect("the configuration");
    let valid = check(&text);
    assert!(valid.status.success(), "{}", text_of(&valid));
    let wrong = check(&text.replace("option redispatch", "option redispach"));
    assert!(!wrong.status.success() && text_of(&wrong).contains("redispach"));
}
