//! A worker of Kafka Connect with Debezium's connectors, to compare with.

use std::fs;
use std::process::Command;

use super::variable;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docker/native/connect.sh");

/// A running worker, ended when dropped.
pub struct Connect {
    name: String,
}

impl Connect {
    /// Starts a worker with connectors, each with its properties, and waits until their tasks run.
    /// The first start on a machine fetches what it needs.
    pub fn start(test: &str, kafka: &str, registry: &str, connectors: &[Vec<(String, String)>]) -> Self {
        let name = format!("{test}-{}", std::process::id());
        let folder = format!("{}/connect-{name}", variable("CDC_STACK_DIR"));
        fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new(SCRIPT);
        command.args(["start", &name, &format!("kafka={kafka}"), &format!("registry={registry}")]);
        for (number, properties) in connectors.iter().enumerate() {
            let file = format!("{folder}/connector-{number}.properties");
            let lines: Vec<String> =
                properties.iter().map(|(name, value)| format!("{name}={value}")).collect();
            fs::write(&file, lines.join("\n")).unwrap();
            command.arg(file);
        }
        let this = Self { name };
        let out = command.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        this
    }

    /// Stops it; what its connectors were about to send is sent.
    pub fn stop(&self) {
        let out = Command::new(SCRIPT).args(["stop", &self.name]).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
}

impl Drop for Connect {
    fn drop(&mut self) {
        let _ = Command::new(SCRIPT).args(["kill", &self.name]).output();
        // Of a test that failed the log stays, until `make stack-down`.
        if !std::thread::panicking() {
            let _ = Command::new(SCRIPT).args(["drop", &self.name]).output();
        }
    }
}
