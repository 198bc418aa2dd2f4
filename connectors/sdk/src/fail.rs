//! Places in the code at which a test lets the process die.
//!
//! With `CDC_FAIL_POINT=name:3` in the environment a debug build ends at the place of that
//! name, as by `kill -9`, the third time it comes by; with `name:3:stop` it stops there, as by `kill -STOP`, and goes on
//! from there when it is told to.
//!
//! With `CDC_PLANT=name` (or several, with commas between them) it has the bug of that name, so that a test can show that
//! the checks of other tests find it. A release build knows none of this.

/// Passes the place of that name, or dies here.
#[inline]
pub fn point(name: &str) {
    #[cfg(debug_assertions)]
    armed::pass(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// Whether the process is to have the bug of that name.
#[inline]
#[must_use]
pub fn planted(name: &str) -> bool {
    #[cfg(debug_assertions)]
    return armed::is_planted(name);
    #[cfg(not(debug_assertions))]
    {
        let _ = name;
        false
    }
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Armed {
        name: String,
        passes_left: AtomicU32,
        stops: bool,
    }

    /// The environment is read once.
    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let text = std::env::var("CDC_FAIL_POINT").ok()?;
        let (name, time) = text.split_once(':')?;
        let (time, stops) = time.strip_suffix(":stop").map_or((time, false), |time| (time, true));
        Some(Armed { name: name.to_owned(), passes_left: AtomicU32::new(time.parse().ok()?), stops })
    });

    static PLANTED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("CDC_PLANT").ok());

    pub(super) fn is_planted(name: &str) -> bool {
        PLANTED.as_deref().is_some_and(|all| all.split(',').any(|one| one == name))
    }

    pub(super) fn pass(name: &str) {
        let Some(armed) = ARMED.as_ref().filter(|armed| armed.name == name) else { return };
        if armed.passes_left.fetch_sub(1, Ordering::Relaxed) != 1 {
            return;
        }
        if armed.stops {
            let me = std::process::id().to_string();
            let _ = std::process::Command::new("kill").args(["-STOP", &me]).status();
        } else {
            // Nothing is flushed, closed or dropped.
            std::process::abort();
        }
    }
}
