//! The quarantine seen from outside of a running sink: for `cdc dead-letter`.

use cdc_sdk::Result;

use super::quarantine;
use super::requests::{self, Action, Answer, Chosen};
use crate::dead_letter::Quarantine;
use crate::session::{Purpose, Session};
use crate::settings::Settings;

/// Where people ask after the quarantine of a sink, over a session of its own.
pub struct DeadLetterDesk {
    ledger: super::Ledger,
    session: Session,
}

impl DeadLetterDesk {
    /// Opens it.
    ///
    /// # Errors
    /// If the destination cannot be asked.
    pub async fn open(settings: &Settings) -> Result<Self> {
        let session = Session::connect(&settings.endpoint, Purpose::Data).await?;
        Ok(Self { ledger: settings.ledger(), session })
    }

    /// The keys in quarantine.
    ///
    /// # Errors
    /// If the destination cannot be asked, or the quarantine has a form that this program does not know.
    pub async fn quarantine(&mut self) -> Result<Quarantine> {
        quarantine::read(&self.ledger, &mut self.session).await
    }

    /// Writes a request to the sink down; returns its number.
    ///
    /// # Errors
    /// If that cannot be written.
    pub async fn ask(&mut self, action: Action, chosen: &Chosen) -> Result<u64> {
        requests::create(&self.ledger, &mut self.session).await?;
        requests::ask(&self.ledger, &mut self.session, action, chosen).await
    }

    /// What came of a request; `None` while nothing has.
    ///
    /// # Errors
    /// If the destination cannot be asked.
    pub async fn answer(&mut self, request: u64) -> Result<Option<Answer>> {
        requests::answered(&self.ledger, &mut self.session, request).await
    }

    /// Takes a request back; `false` where it has been answered.
    ///
    /// # Errors
    /// If that cannot be written.
    pub async fn withdraw(&mut self, request: u64) -> Result<bool> {
        requests::withdraw(&self.ledger, &mut self.session, request).await
    }

    /// Ends the session.
    pub async fn close(self) {
        self.session.close().await;
    }
}
