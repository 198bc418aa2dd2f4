//! What a driver makes of an endpoint, kept between two connections.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Endpoint;

/// Files of certificates may be exchanged while the program runs.
const KEPT_MAX: Duration = Duration::from_secs(60);

/// A driver's options for the endpoint that was used last, for a minute. They hold what OpenSSL has
/// read of the system's authorities: tens of milliseconds of CPU, for each connection of a start.
pub struct Kept<T>(Mutex<Option<Held<T>>>);

struct Held<T> {
    endpoint: Endpoint,
    since: Instant,
    value: T,
}

impl<T: Clone> Kept<T> {
    /// Holds nothing yet.
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// What was made for this endpoint, or is made now.
    pub fn of(&self, endpoint: &Endpoint, make: impl FnOnce(&Endpoint) -> T) -> T {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = &*held
            && held.endpoint == *endpoint
            && held.since.elapsed() < KEPT_MAX
        {
            return held.value.clone();
        }
        let value = make(endpoint);
        *held = Some(Held { endpoint: endpoint.clone(), since: Instant::now(), value: value.clone() });
        value
    }
}

impl<T: Clone> Default for Kept<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{Secret, Tls};

    #[test]
    fn another_endpoint_is_made_anew() {
        let endpoint = |port| Endpoint {
            host: "db".to_owned(),
            port,
            user: "cdc".to_owned(),
            password: Secret::default(),
            tls: Tls::default(),
        };
        let kept = Kept::new();
        assert_eq!(kept.of(&endpoint(1), |_| 'a'), 'a');
        assert_eq!(kept.of(&endpoint(1), |_| 'b'), 'a');
        assert_eq!(kept.of(&endpoint(2), |_| 'c'), 'c');
        assert_eq!(kept.of(&endpoint(1), |_| 'd'), 'd');
    }
}
