//! The stream as its caller sees it.

use std::future::Future;
use std::pin::Pin;

use cdc_sdk::endpoint::Endpoint;
use cdc_sdk::pattern::Selection;
use cdc_sdk::{GtidSet, Position, Result, Table};

use super::assemble::{Assembler, Setting};
use super::collations::Collations;
use super::dump::{Dump, Server, same_server};
use super::shapes::Unknown;
use super::{BinlogEvent, Enrich, Enriched, Met, Request};
use crate::ddl::Effect;
use crate::session::LogEnd;

/// The server's log from a position on.
///
/// After an error it is done: open another one at the last position committed.
pub struct Stream {
    dump: Dump,
    /// How the server is reached.
    endpoint: Endpoint,
    request: Request,
    assembler: Assembler,
    catalogue: Box<dyn Catalogue>,
    /// A table that the catalogue is still to be asked about.
    unknown: Option<Unknown>,
}

impl Stream {
    /// Asks the server for its log: by GTID set where `request.start` has one, else by
    /// file and position. `collations` are those of the same server.
    ///
    /// # Errors
    /// [`cdc_sdk::Kind::Purged`], [`cdc_sdk::Kind::Diverged`],
    /// [`cdc_sdk::Kind::OtherServer`] where the position is not to be had; what a
    /// connection can run into. Some of it shows only at the first [`Stream::next`].
    pub async fn open(
        endpoint: Endpoint,
        request: Request,
        selection: Selection,
        collations: Collations,
        catalogue: impl Enrich,
    ) -> Result<Self> {
        let (dump, server, reads_from) = Dump::open(&endpoint, &request).await?;
        let (fold_names, mark_json) = (server.fold_names, request.mark_json);
        let setting = Setting { selection, collations, fold_names, mark_json };
        let start = taken_over(&request.start, &server);
        let assembler = Assembler::new(setting, start, reads_from);
        let catalogue = Box::new(catalogue);
        Ok(Self { dump, endpoint, request, assembler, catalogue, unknown: None })
    }

    /// Reads on until the server has shown that its log is the one that was read. With `until`, also that it can be
    /// read on from there: up to that end, or to the first transaction that was not delivered.
    ///
    /// # Errors
    /// [`cdc_sdk::Kind::Diverged`], [`cdc_sdk::Kind::Purged`], and those of [`Stream::next`].
    pub(crate) async fn meet(&mut self, until: Option<&LogEnd>) -> Result<()> {
        loop {
            let place = self.assembler.place();
            let far_enough = self.assembler.has_news()
                || until.is_none_or(|end| {
                    !place.file().is_empty() && end.is_passed_by(place.file(), place.end())
                });
            if self.assembler.is_met() && far_enough || self.unknown.is_some() {
                return Ok(());
            }
            let frame = self.dump.next().await?;
            self.unknown = self.assembler.take(frame)?;
        }
    }

    /// The next event. May be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    /// [`cdc_sdk::Kind::MysqlUnreachable`] for a connection that broke;
    /// [`cdc_sdk::Kind::BinlogCorrupt`], [`cdc_sdk::Kind::BinlogUnsupported`],
    /// [`cdc_sdk::Kind::RowMismatch`], [`cdc_sdk::Kind::TypeUnsupported`],
    /// [`cdc_sdk::Kind::ResumeMismatch`] for what is in the log; what the catalogue
    /// answers.
    pub async fn next(&mut self) -> Result<BinlogEvent> {
        loop {
            if let Some(event) = self.at_hand()? {
                return Ok(event);
            }
            if let Some(unknown) = &self.unknown {
                let answer = self.catalogue.enriched(unknown.table.clone(), unknown.met.clone()).await?;
                if let Some(unknown) = self.unknown.take() {
                    self.assembler.learn(unknown, answer);
                }
                continue;
            }
            if self.assembler.must_reread() {
                self.reread().await?;
            }
            let frame = self.dump.next().await?;
            self.unknown = self.assembler.take(frame)?;
        }
    }

    /// The next event, where all of it has come and nobody must be asked: nothing is waited for.
    ///
    /// # Errors
    /// Those of [`Stream::next`].
    pub fn at_hand(&mut self) -> Result<Option<BinlogEvent>> {
        loop {
            if let Some(event) = self.assembler.pop() {
                self.forget_changed(&event);
                return Ok(Some(event));
            }
            if self.unknown.is_some() {
                return Ok(None);
            }
            if let Some(unknown) = self.assembler.take_released()? {
                self.unknown = unknown;
                continue;
            }
            if self.assembler.must_reread() {
                return Ok(None);
            }
            let Some(frame) = self.dump.at_hand()? else { return Ok(None) };
            self.unknown = self.assembler.take(frame)?;
        }
    }

    /// Asks once more for all behind the position. May be dropped while it waits: then it is asked again.
    async fn reread(&mut self) -> Result<()> {
        let request = Request { start: self.assembler.position().clone(), ..self.request.clone() };
        let (dump, server, _) = Dump::open(&self.endpoint, &request).await?;
        same_server(self.assembler.position(), &server)?;
        self.dump = dump;
        self.assembler.reread();
        Ok(())
    }

    /// After the last whole transaction that was handed out.
    pub fn position(&self) -> &Position {
        self.assembler.position()
    }

    /// A file and an offset in it: all that stands before was handed out by
    /// [`Stream::next`], be it as [`BinlogEvent::Idle`]. Before the first event the
    /// file may be "".
    pub fn place(&self) -> (&str, u64) {
        let place = self.assembler.passed();
        (place.file(), place.end())
    }

    /// The GTIDs of transactions that are prepared and not decided: they stay out of the position.
    pub fn undecided(&self) -> GtidSet {
        self.assembler.undecided()
    }

    fn forget_changed(&mut self, event: &BinlogEvent) {
        if let BinlogEvent::Ddl(ddl) = event {
            self.assembler.forget(&ddl.effects);
            self.catalogue.was_altered(&ddl.effects);
        }
    }
}

/// The position at a server, which may be another one than before, or not have in its log what it would be known by.
fn taken_over(start: &Position, server: &Server) -> Position {
    let landmark = start.landmark.clone().filter(|_| server.has_landmark);
    Position { landmark, server_uuid: server.uuid.clone(), ..start.clone() }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("position", self.position()).field("place", &self.place()).finish()
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Enriched>> + Send + 'a>>;

/// [`Enrich`] behind a pointer, so that the stream's type does not name it.
trait Catalogue: Send + Sync {
    fn enriched(&self, from_map: Table, met: Met) -> Answer<'_>;
    fn was_altered(&self, effects: &[Effect]);
}

impl<E: Enrich> Catalogue for E {
    fn enriched(&self, from_map: Table, met: Met) -> Answer<'_> {
        Box::pin(self.enrich(from_map, met))
    }

    fn was_altered(&self, effects: &[Effect]) {
        self.altered(effects);
    }
}

#[cfg(test)]
mod tests;
