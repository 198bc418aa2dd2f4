//! What a check found wrong, with the statement that mends it.

use std::fmt;

/// One thing that must be mended before a pipeline can run, or that should be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether the pipeline refuses to run with it; otherwise it is a warning.
    pub blocks: bool,
    /// Whether it may be over by itself soon, as what a failover brings: who was fit before waits for that.
    pub passes: bool,
    /// What is wrong, with the value seen.
    pub what: String,
    /// The statement or setting that mends it.
    pub mend: String,
}

impl Finding {
    /// Something that a run refuses.
    pub fn blocking(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { blocks: true, passes: false, what: what.into(), mend: mend.into() }
    }

    /// The same, of what may be over by itself.
    #[must_use]
    pub fn passing(self) -> Self {
        Self { passes: true, ..self }
    }

    /// Something that a run reports and lives with.
    pub fn warning(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { blocks: false, passes: false, what: what.into(), mend: mend.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = if self.blocks { "must" } else { "warn" };
        write!(f, "[{label}] {}\n       {}", self.what, self.mend)
    }
}
