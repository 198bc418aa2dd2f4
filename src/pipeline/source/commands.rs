//! Commands to the running source: what each does, and its answer, in one cut.

use cdc_mysql_source::{DdlEvent, Request, Stopped, TableProgress, Taken};
use cdc_sdk::cut::CutKind;
use cdc_sdk::pattern::Pattern;
use cdc_sdk::{Error, Kind, Result, TableName};
use tracing::info;

use super::Road;
use crate::pipeline::control::{Answer, Command, GivenUp, Received, answer_json, answer_key};
use crate::pipeline::private::{self, Mark};
use crate::pipeline::recovery;

/// What a command did.
#[derive(Default)]
struct Done {
    text: String,
    tables: Vec<TableName>,
    progress: Vec<TableProgress>,
}

impl Road<'_> {
    /// Takes a command: what it did, that it was taken, and the answer, in one cut. Only between two
    /// transactions.
    pub(super) async fn command(&mut self, received: Received) -> Result<()> {
        let Received { next_offset, id, command } = received;
        // What it asks of servers may take longer than a Kafka transaction may.
        if self.writer.is_open() {
            self.cut(CutKind::Complete)?;
        }
        let shown = format!("{command:?}");
        let done = match command {
            Ok(command) => self.perform(&command).await,
            Err(error) => Err(error),
        };
        let mut answer = match done {
            Ok(done) => self.done(done)?,
            Err(refusal) if refusal.kind() == Kind::Refused => Answer::refused(&refusal),
            // Of the world, not of the command: it is taken again by the next session.
            Err(error) => return Err(error),
        };
        info!(id, done = answer.done, command = shown, "a command was taken: {}", answer.text);
        self.taken.next_offset = next_offset;
        self.store_taken()?;
        let cut = self.writer.next_id();
        answer.cut = Some((cut.incarnation, cut.sequence));
        self.writer.control(&answer_key(&id), &answer_json(&answer)?)?;
        self.cut(CutKind::Complete)
    }

    fn done(&mut self, done: Done) -> Result<Answer> {
        for progress in &done.progress {
            self.writer.state(&recovery::snapshot_key(progress), &progress.to_json())?;
        }
        let tables = done.tables.into_iter().map(|t| (t.database, t.table)).collect();
        Ok(Answer { done: true, text: done.text, tables, ..Answer::default() })
    }

    pub(super) fn store_taken(&mut self) -> Result<()> {
        let json = self.taken.to_json()?;
        self.writer.state(recovery::CONTROL_KEY, &json)
    }

    async fn perform(&mut self, command: &Command) -> Result<Done> {
        match command {
            Command::Snapshot { tables, condition, empty_first, sink } => {
                sink.as_deref().map_or(Ok(()), private::check_sink)?;
                let request = Request {
                    tables: patterns(tables)?,
                    condition: condition.clone(),
                    empty_first: *empty_first,
                    addressee: sink.clone(),
                };
                self.snapshot(&request).await
            }
            Command::Pause {} => Ok(self.pause(true)),
            Command::Resume {} => Ok(self.pause(false)),
            Command::Stop {} => self.stop_requests().await,
        }
    }

    async fn snapshot(&mut self, request: &Request) -> Result<Done> {
        if let Some(sink) = &request.addressee {
            // Brokers that let nobody make that topic are the request's trouble, not the source's.
            self.book.refuse_small_records(sink).await.map_err(|error| match error.kind() {
                Kind::KafkaRefused => {
                    Error::new(Kind::Refused, error.what()).hint("see the rights of the source's account")
                }
                _ => error,
            })?;
        }
        let Taken { progress, in_first } = self.source.request(request).await?;
        let stored = self.prepare_tables().await?;
        self.store(&stored)?;
        let tables: Vec<TableName> = progress.iter().map(|p| p.table.clone()).collect();
        self.taken.asked_anew(request.addressee.as_deref(), &tables);
        let mut text = format!("{} tables are read once more", tables.len());
        if let Some(sink) = &request.addressee {
            text += &format!(" for sink '{sink}' alone");
            self.taken.sinks.retain(|other| other != sink);
            self.taken.sinks.push(sink.clone());
        }
        if !in_first.is_empty() {
            text += &format!("; {} are being read for the first time just now", in_first.len());
        }
        if self.taken.paused {
            text += "; snapshots are paused: cdc snapshot resume";
        }
        Ok(Done { text, tables, progress })
    }

    fn pause(&mut self, paused: bool) -> Done {
        let text = match (self.taken.paused, paused) {
            (false, true) => "snapshots are paused: chunks under way are delivered, no other is begun",
            (true, false) => "snapshots go on",
            (true, true) => "snapshots were paused already",
            (false, false) => "snapshots were not paused",
        };
        self.taken.paused = paused;
        self.source.pause(paused);
        Done { text: text.to_owned(), ..Done::default() }
    }

    async fn stop_requests(&mut self) -> Result<Done> {
        let mut done = Done::default();
        for Stopped { addressee, progress } in self.source.stop_requests() {
            if let Some(sink) = &addressee {
                self.end_for(sink, Mark::Stopped).await?;
            }
            done.tables.extend(progress.iter().map(|p| p.table.clone()));
            done.progress.extend(progress);
        }
        done.text = format!("{} tables are not read any further", done.tables.len());
        let left = self.source.progress();
        if left.tables_done < left.tables_total {
            done.text += &format!(
                "; {} go on, without which they would lack rows",
                left.tables_total - left.tables_done
            );
        }
        Ok(done)
    }

    /// Tells the sinks whose tables have all been delivered.
    pub(super) async fn end_private_snapshots(&mut self) -> Result<()> {
        let through: Vec<String> =
            self.taken.sinks.iter().filter(|sink| !self.source.reads_for(sink)).cloned().collect();
        for sink in &through {
            self.end_for(sink, Mark::Through).await?;
            info!(sink, "the snapshot for one sink is through");
            self.cut(CutKind::Complete)?;
        }
        Ok(())
    }

    /// Gives up what cannot be sent to the sinks that asked for it, before any of it is: it never stops the source.
    pub(super) async fn refuse_private_snapshots(&mut self) -> Result<()> {
        for sink in self.taken.sinks.clone() {
            match self.book.refuse_small_records(&sink).await {
                Err(refused) if refused.kind() == Kind::Refused => self.source.give_up_for(&sink, &refused),
                checked => checked?,
            }
        }
        Ok(())
    }

    /// What was asked for is given up, in the open cut: the sink that it was for is told, and whoever looks at snapshots.
    pub(super) async fn given_up(&mut self, ddl: &DdlEvent, why: &str) -> Result<()> {
        if let Some(first) = ddl.progress.first() {
            self.taken.gave_up(GivenUp {
                sink: ddl.addressee.clone(),
                table: first.table.to_string(),
                tables: ddl.progress.len(),
                why: why.to_owned(),
            });
        }
        match &ddl.addressee {
            Some(sink) => self.end_for(sink, Mark::Stopped).await,
            None => self.store_taken(),
        }
    }

    /// The snapshot for a sink ends, in the open cut.
    pub(super) async fn end_for(&mut self, sink: &str, mark: Mark) -> Result<()> {
        let topic = self.book.private(sink).await?;
        self.writer.mark(&topic, mark)?;
        self.taken.sinks.retain(|other| other != sink);
        self.store_taken()
    }
}

fn patterns(texts: &[String]) -> Result<Vec<Pattern>> {
    let parse = |text: &String| {
        Pattern::parse(text).map_err(|e| Error::new(Kind::Refused, e.what()).hint("write database.table"))
    };
    texts.iter().map(parse).collect()
}
