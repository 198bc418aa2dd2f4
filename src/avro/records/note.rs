//! Records of `prefix.state` and `prefix.control`: a text key, and JSON under a version.

use cdc_sdk::Result;
use serde::{Deserialize, Serialize};

use super::{CONTROL_SCHEMA, Form, STATE_SCHEMA};
use crate::avro::datum::{Input, malformed, put_bytes};
use crate::avro::event::{frame, unframed};

static STATE: Form = Form::new(STATE_SCHEMA, "record of the state topic", 1);
static CONTROL: Form = Form::new(CONTROL_SCHEMA, "record of the control topic", 1);

#[derive(Serialize, Deserialize)]
struct Note {
    version: i32,
    json: String,
}

/// Writes a value of `prefix.state`, framed with the id of [`STATE_SCHEMA`].
///
/// # Errors
/// [`cdc_sdk::Kind::Bug`], which no text causes.
pub fn encode_state_value(json: &str, id: u32) -> Result<Vec<u8>> {
    encode(&STATE, json, id)
}

/// Reads a value of `prefix.state` and returns its JSON.
///
/// # Errors
/// [`cdc_sdk::Kind::UnknownVersion`], or [`cdc_sdk::Kind::Decode`] for damage.
pub fn decode_state_value(message: &[u8]) -> Result<String> {
    Ok(STATE.decode::<Note>(message)?.json)
}

/// Writes a value of `prefix.control`, framed with the id of [`CONTROL_SCHEMA`].
///
/// # Errors
/// [`cdc_sdk::Kind::Bug`], which no text causes.
pub fn encode_control_value(json: &str, id: u32) -> Result<Vec<u8>> {
    encode(&CONTROL, json, id)
}

/// Reads a value of `prefix.control` and returns its JSON.
///
/// # Errors
/// [`cdc_sdk::Kind::UnknownVersion`], or [`cdc_sdk::Kind::Decode`] for damage.
pub fn decode_control_value(message: &[u8]) -> Result<String> {
    Ok(CONTROL.decode::<Note>(message)?.json)
}

/// Writes a key of `prefix.state`, framed with the id of [`super::INTERNAL_KEY_SCHEMA`].
///
/// # Errors
/// None: it is a `Result` as its sisters are.
pub fn encode_state_key(key: &str, id: u32) -> Result<Vec<u8>> {
    Ok(encode_key(key, id))
}

/// Reads a key of `prefix.state`.
///
/// # Errors
/// [`cdc_sdk::Kind::Decode`].
pub fn decode_state_key(message: &[u8]) -> Result<String> {
    decode_key(message)
}

/// Writes the text key of an internal record, framed with the id of
/// [`super::INTERNAL_KEY_SCHEMA`].
pub fn encode_key(key: &str, id: u32) -> Vec<u8> {
    let mut message = frame(id).to_vec();
    put_bytes(&mut message, key.as_bytes());
    message
}

/// Reads the text key of an internal record.
///
/// # Errors
/// [`cdc_sdk::Kind::Decode`].
pub fn decode_key(message: &[u8]) -> Result<String> {
    let mut input = Input::new(unframed(message)?);
    let key = input.text()?.to_owned();
    if input.left() == 0 { Ok(key) } else { Err(malformed("bytes follow the key")) }
}

fn encode(form: &Form, json: &str, id: u32) -> Result<Vec<u8>> {
    form.encode(Note { version: form.version, json: json.to_owned() }, id)
}
