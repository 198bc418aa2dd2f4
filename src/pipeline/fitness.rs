//! Whether the servers are fit: asked at the start of each session.
//!
//! At the first one a person looks on, and is told all that is to be mended. Later ones follow a fault: what was fit
//! before and is not for a moment (a destination that a failover has made read-only) is waited for like any other fault.

use std::sync::atomic::{AtomicBool, Ordering};

use cdc_sdk::{Error, Finding, Kind, Result};

/// What the sessions of one run know of it.
#[derive(Debug, Default)]
pub struct Fitness {
    was_fit: AtomicBool,
}

impl Fitness {
    /// Refuses to run with all that must be mended, at once.
    ///
    /// # Errors
    /// [`Kind::Unfit`]; [`Kind::MysqlUnreachable`] where the servers were fit before, and it may pass.
    pub fn refuse_unfit(&self, findings: &[Finding]) -> Result<()> {
        for warning in findings.iter().filter(|f| !f.blocks) {
            tracing::warn!(mend = %warning.mend, "{}", warning.what);
        }
        let blocking: Vec<&Finding> = findings.iter().filter(|f| f.blocks).collect();
        let Some(first) = blocking.first() else {
            self.was_fit.store(true, Ordering::Relaxed);
            return Ok(());
        };
        if self.was_fit.load(Ordering::Relaxed) && blocking.iter().all(|f| f.passes) {
            let hint = format!("it is tried again; should it stay so: {}", first.mend);
            return Err(Error::new(Kind::MysqlUnreachable, &first.what).hint(hint));
        }
        let lines: Vec<String> = blocking.iter().map(ToString::to_string).collect();
        Err(Error::new(Kind::Unfit, format!("{} things must be mended first", blocking.len()))
            .detail(lines.join("\n          "))
            .hint("mend them, then look again: cdc check -c FILE"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_fit_waits_for_what_passes() {
        let read_only = Finding::blocking("the destination is read-only", "SET …").passing();
        let old = Finding::blocking("the destination is version 5.5", "upgrade");
        let warned = Finding::warning("a trigger fires", "DROP TRIGGER");
        let kind = |fitness: &Fitness, found: &[&Finding]| {
            let found: Vec<Finding> = found.iter().map(|f| (*f).clone()).collect();
            fitness.refuse_unfit(&found).map_err(|e| e.kind())
        };
        let fitness = Fitness::default();
        assert_eq!(kind(&fitness, &[&read_only]), Err(Kind::Unfit), "nobody has seen it fit");
        assert_eq!(kind(&fitness, &[&warned]), Ok(()));
        assert_eq!(kind(&fitness, &[&warned, &read_only]), Err(Kind::MysqlUnreachable));
        assert_eq!(kind(&fitness, &[&read_only, &old]), Err(Kind::Unfit), "that does not pass");
    }
}
