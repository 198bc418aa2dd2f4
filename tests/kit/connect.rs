//! A worker of Kafka Connect with Debezium's connectors, to compare with.

use std::fs;
use std::process::Command;

use super::variable;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docker/native/connect.sh");

/// A running worker, ended when dropped.
pub struct Connect {
    name: String,
    url: String,
    arguments: Vec<String>,
}

impl Connect {
    /// Starts a worker with connectors, each with its properties, and waits until their tasks run.
    /// The first start on a machine fetches what it needs.
    pub fn start(test: &str, kafka: &str, registry: &str, connectors: &[Vec<(String, String)>]) -> Self {
        let name = format!("{test}-{}", std::process::id());
        let folder = format!("{}/connect-{name}", variable("CDC_STACK_DIR"));
        fs::create_dir_all(&folder).unwrap();
        let mut arguments =
            vec!["start".to_owned(), name.clone(), format!("kafka={kafka}"), format!("registry={registry}")];
        for (number, properties) in connectors.iter().enumerate() {
            let file = format!("{folder}/connector-{number}.properties");
            let lines: Vec<String> =
                properties.iter().map(|(name, value)| format!("{name}={value}")).collect();
            fs::write(&file, lines.join("\n")).unwrap();
            arguments.push(file);
        }
        let mut this = Self { name, url: String::new(), arguments };
        this.again();
        this
    }

    /// Starts it again, where it was.
    pub fn again(&mut self) {
        let out = Command::new(SCRIPT).args(&self.arguments).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).trim().clone_into(&mut self.url);
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        let path = format!("{}/connect-{}/pid", variable("CDC_STACK_DIR"), self.name);
        fs::read_to_string(path).unwrap().trim().parse().unwrap()
    }

    /// Why the connector's task has failed, in a line; `None` while it runs.
    pub fn failure(&self, connector: &str) -> Option<String> {
        let url = format!("{}/connectors/{connector}/tasks/0/status", self.url);
        let out = Command::new("curl").args(["-fsS", "--noproxy", "*", "-m", "10", &url]).output().unwrap();
        let status: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        let trace = status["trace"].as_str()?;
        let mut causes = trace.lines().rev().filter_map(|line| line.strip_prefix("Caused by: "));
        Some(causes.next().unwrap_or(trace).to_owned())
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
