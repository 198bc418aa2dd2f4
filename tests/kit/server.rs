//! A MySQL of a test's own, for what the shared one cannot be set to.

use std::process::Command;

use super::variable;

/// A private server, ended when dropped.
pub struct Server {
    name: String,
    /// `host:port`.
    pub address: String,
}

impl Server {
    /// Starts a server with more options for `mysqld`.
    pub fn start(test: &str, options: &[&str]) -> Self {
        let name = format!("{test}-{}", std::process::id());
        let out = script().arg("start").arg(&name).args(options).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
        let address = text.lines().last().unwrap_or_default().trim().to_owned();
        Self { name, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Of a test that failed its log stays, until `make stack-down`.
        let verb = if std::thread::panicking() { "stop" } else { "drop" };
        let _ = script().arg(verb).arg(&self.name).output();
    }
}

fn script() -> Command {
    Command::new(variable("CDC_STACK_MYSQL_SCRIPT"))
}
