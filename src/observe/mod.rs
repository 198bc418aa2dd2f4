//! What a running pipeline shows of itself: metrics, health, status, progress,
//! logs, and the handle by which it is asked to stop.
//!
//! The pipeline reports through [`SourceView`] and [`SinkView`] in a few atomic
//! operations a batch; whoever looks (a scrape, a status page, the progress line)
//! computes lag and rates then. So being watched costs the data path nothing.

mod clock;
mod http;
mod log;
mod memory;
mod metric;
mod page;
mod progress;
mod rate;
mod state;
mod status;
mod stop;
mod view;
mod watch;

pub use clock::{now_us, parse_time, rfc3339};
pub use http::Listener;
pub use log::{LogFormat, init as init_logs};
pub use memory::Memory;
pub use progress::ProgressLine;
pub use state::State;
pub use status::{LastError, SetAside, SnapshotStatus, Status};
pub use stop::Stop;
pub use view::{SinkView, SnapshotProgress, SourceView, View};
pub use watch::Watch;
