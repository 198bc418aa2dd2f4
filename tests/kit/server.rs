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

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        let pid = format!("{}/mysql-{}/pid", variable("CDC_STACK_DIR"), self.name);
        let pid = std::fs::read_to_string(pid).unwrap();
        let status = Command::new("kill").args([&format!("-{name}"), pid.trim()]).status().unwrap();
        assert!(status.success(), "kill -{name} {pid}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that is stopped by a signal does not end before it is let go.
        let _ = script().arg("kill").arg(&self.name).output();
        // Of a test that failed the log stays, until `make stack-down`.
        if !std::thread::panicking() {
            let _ = script().arg("drop").arg(&self.name).output();
        }
    }
}

fn script() -> Command {
    Command::new(variable("CDC_STACK_MYSQL_SCRIPT"))
}
