//! The authorities that the system trusts are read only where some setting rests on them.
//!
//! The clients of MySQL and of the registry read the system's whole bundle when they are made, each twice, be the
//! connection encrypted or not and its certificate looked at or not (native-tls 0.2.18 over OpenSSL 3): two thirds of
//! the processor time of a start. Which file that is the environment says (`SSL_CERT_FILE`, OpenSSL's manual page
//! `SSL_CTX_set_default_verify_paths`).

use std::path::Path;

use crate::config::Config;

/// Leaves the system's authorities out, for the rest of the process, where these settings need none. No other thread may run yet.
/// A certificate that is looked at all the same is not trusted then.
pub(super) fn spare(settings: &Path) {
    if cfg!(target_os = "linux") && Config::load(settings).is_ok_and(|config| !config.trusts_system()) {
        // SAFETY: the process has one thread: this is called before logs, runtime and clients are made.
        #[allow(unsafe_code)]
        unsafe {
            std::env::set_var("SSL_CERT_FILE", "/dev/null");
        }
    }
}
