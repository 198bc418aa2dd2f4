//! Whether the server's log, while nothing comes, is still the one that is read, and still all that the server does.

use cdc_sdk::{Error, Kind, Result};

use super::Source;
use super::open::{purged, verify_file};
use crate::session::{Server, connect};

impl Source {
    /// Asks the server, between two transactions. One that was made to forget its log, or that does not log what it
    /// does, would look idle for ever.
    ///
    /// # Errors
    /// [`Kind::Diverged`], [`Kind::Purged`]; what a connection can run into.
    pub async fn confirm(&mut self) -> Result<()> {
        let mut conn = connect(&self.settings.endpoint).await?;
        let server = Server::ask(&mut conn).await?;
        let position = self.stream.position();
        if server.uuid != position.server_uuid {
            // Another one answers at the address. The stream will end, and what opens the next one asks it.
            return Ok(());
        }
        let Some(gtids) = &position.gtids else { return verify_file(&mut conn, &server, position).await };
        // What was delivered may not show yet (a commit that waits for a replica's answer); what showed before must.
        let lost = self.executed.minus(&server.executed);
        if !lost.is_empty() {
            return Err(Error::new(Kind::Diverged, "the server has lost transactions while its log was read")
                .detail(format!("executed before, and not now: {lost}"))
                .hint("its log was reset (RESET BINARY LOGS AND GTIDS), or it was restored from a backup: start anew under another name, with a new snapshot"));
        }
        let missing = server.purged.minus(gtids).minus(&self.stream.undecided());
        if server.gtids && !missing.is_empty() {
            return Err(purged(gtids, &missing));
        }
        self.executed = server.executed;
        Ok(())
    }
}
