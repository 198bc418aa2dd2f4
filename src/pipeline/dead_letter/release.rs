//! Does what people ask: keys leave the quarantine with their changes, or without.

use cdc_mysql_sink::{Action, Answer, Chosen, Held, Quarantine, Request, Sink, key_text};
use cdc_sdk::{Error, Fate, Result, TableName};
use tokio::task::block_in_place;
use tracing::{info, warn};

use super::post::{Found, Post};
use crate::config::SinkConfig;

/// The keys that are chosen.
pub fn chosen(quarantine: &Quarantine, chosen: &Chosen) -> Vec<Held> {
    of_all(&quarantine.held(), chosen)
}

/// A key is named as it is shown, or whole.
fn of_all(all: &[&Held], chosen: &Chosen) -> Vec<Held> {
    let shown = chosen.key.as_deref().map(key_text);
    let is_named = |held: &Held| match (&chosen.key, &shown) {
        (Some(key), Some(shown)) => **key == *held.shown || **shown == *held.shown,
        _ => true,
    };
    let of_table = |held: &Held| chosen.table.as_ref().is_none_or(|table| *table == held.table);
    all.iter().filter(|held| of_table(held) && is_named(held)).map(|held| (*held).clone()).collect()
}

/// The table of which one key was asked for and several are found: texts that were cut without a hash.
pub fn meant_twice<'h>(found: &'h [Held], chosen: &Chosen) -> Option<&'h TableName> {
    chosen.key.as_ref()?;
    // In their settled order those of a table are neighbours.
    found.windows(2).find(|two| two[0].table == two[1].table).map(|two| &two[0].table)
}

/// Answers all requests that are open, between two batches.
///
/// # Errors
/// Of the world: the request stays open, and is done after the next start.
pub async fn serve(config: &SinkConfig, sink: &mut Sink) -> Result<()> {
    for request in sink.requests().await? {
        let answer = release(config, sink, &request).await?;
        info!(action = request.action.word(), keys = %request.chosen, released = answer.released,
            stay = answer.refused, "a request about dead letters is done");
        sink.answer(&request, &answer).await?;
    }
    Ok(())
}

async fn release(config: &SinkConfig, sink: &mut Sink, request: &Request) -> Result<Answer> {
    let mut desk = Desk {
        sink,
        post: Post::new(config)?,
        reason: format!("cdc dead-letter {} by {}", request.action.word(), request.account),
        action: request.action,
        answer: Answer::default(),
    };
    let found = chosen(desk.sink.quarantine(), &request.chosen);
    if let Some(table) = meant_twice(&found, &request.chosen) {
        // Who asked would have refused it; the keys have come since, or that program is older.
        let (refused, text) = (found.len() as u64, format!("{}: means several of {table}\n", request.chosen));
        return Ok(Answer { refused, text, ..Answer::default() });
    }
    let (rows, tables): (Vec<Held>, Vec<Held>) = found.into_iter().partition(|held| held.key.is_some());
    desk.rows(rows).await?;
    for held in tables {
        let done = desk.table(&held).await;
        desk.note(&held, done)?;
    }
    Ok(desk.answer)
}

/// Those that are left for a pass after this one, and those that it has found.
fn split(keys: Vec<Held>, found: Vec<Found>) -> (Vec<Held>, Vec<(Held, Found)>) {
    let (later, now): (Vec<_>, Vec<_>) = keys.into_iter().zip(found).partition(|(_, f)| f.is_deferred());
    (later.into_iter().map(|(held, _)| held).collect(), now)
}

/// One request at work.
struct Desk<'a> {
    sink: &'a mut Sink,
    post: Post,
    reason: String,
    action: Action,
    answer: Answer,
}

impl Desk<'_> {
    /// Keys of rows, as many at a time as fit the memory.
    async fn rows(&mut self, mut keys: Vec<Held>) -> Result<()> {
        while !keys.is_empty() {
            let found = block_in_place(|| self.post.pass(&keys));
            let found = match found {
                Ok(found) => found,
                Err(error) if error.fate() == Fate::Retry => return Err(error),
                Err(error) => return self.unreadable(&keys, &error).await,
            };
            let (deferred, found) = split(keys, found);
            match self.action {
                Action::Retry => self.retry(found).await?,
                Action::Discard => self.discard(found).await?,
            }
            keys = deferred;
        }
        Ok(())
    }

    async fn retry(&mut self, found: Vec<(Held, Found)>) -> Result<()> {
        let mut group = Vec::with_capacity(found.len());
        for (held, found) in found {
            match block_in_place(|| self.post.changes(&held, found)) {
                Ok(changes) => group.push((held, changes)),
                Err(error) => self.note(&held, Err(error))?,
            }
        }
        let refused = match self.sink.retry(&group, &self.reason).await {
            Ok(refused) => refused,
            Err(error) if error.fate() == Fate::Retry => return Err(error),
            Err(error) => {
                let none = |held: &Held| (held.clone(), Error::new(error.kind(), error.to_string()));
                group.iter().map(|(held, _)| none(held)).collect()
            }
        };
        for (held, _) in group.iter().filter(|(held, _)| !refused.iter().any(|(stays, _)| stays == held)) {
            self.note(held, Ok("applied".to_owned()))?;
        }
        refused.into_iter().try_for_each(|(held, error)| self.note(&held, Err(error)))
    }

    async fn discard(&mut self, found: Vec<(Held, Found)>) -> Result<()> {
        for (held, found) in found {
            let lost = block_in_place(|| self.post.last_image(&found));
            let done = self.sink.discard(&held, &lost, &self.reason).await;
            self.note(&held, done.map(|()| format!("lost: {lost}")))?;
        }
        Ok(())
    }

    /// The topic itself cannot be read: what is to be discarded still can be.
    async fn unreadable(&mut self, keys: &[Held], error: &Error) -> Result<()> {
        for held in keys {
            let done = match self.action {
                Action::Retry => Err(Error::new(error.kind(), error.what())),
                Action::Discard => {
                    let lost = format!("not known: {}", error.what());
                    self.sink.discard(held, &lost, &self.reason).await.map(|()| format!("lost: {lost}"))
                }
            };
            self.note(held, done)?;
        }
        Ok(())
    }

    async fn table(&mut self, held: &Held) -> Result<String> {
        if self.action == Action::Discard {
            let lost = format!("all changes of the table since, {} of them", held.letters);
            self.sink.discard(held, &lost, &self.reason).await?;
            return Ok(format!("lost: {lost}"));
        }
        let mut letters = block_in_place(|| self.post.table(held))?;
        let schemas = block_in_place(|| letters.schemas())?;
        self.sink.retry_table(held, &schemas, || block_in_place(|| letters.next()), &self.reason).await?;
        Ok("applied".to_owned())
    }

    /// Takes down what was done. Only trouble of the world ends the request.
    fn note(&mut self, held: &Held, done: Result<String>) -> Result<()> {
        let line = match done {
            Ok(line) => {
                self.answer.released += 1;
                info!(table = %held.table, key = %held.shown, "{line}");
                line
            }
            Err(error) if error.fate() == Fate::Retry => return Err(error),
            Err(error) => {
                self.answer.refused += 1;
                warn!(table = %held.table, key = %held.shown, %error, "the key stays in quarantine");
                format!("stays in quarantine\n  {}", error.to_string().replace('\n', "\n  "))
            }
        };
        self.answer.text += &format!("{} {}: {line}\n", held.table, held.shown);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
