//! A record handed to librdkafka under the handle of its topic.
//!
//! rdkafka names the topic in each call. librdkafka then takes its client's lock for writing and goes through
//! a list of all topics that the client has used (2.12.1, `rd_kafka_topic_new0`): with 1,000 topics
//! 13 µs for each record. A handle is found once. So this module, of which nothing outside `publisher` knows,
//! calls `rd_kafka_produceva` itself.
//!
//! **Invariant:** handles go before their producer does ([`super::Publisher`] declares them first).
#![allow(unsafe_code)]

use std::ffi::{CString, c_void};
use std::ptr::{NonNull, null_mut};

use rdkafka::bindings as rd;
use rdkafka::bindings::rd_kafka_vtype_t as vtype;
use rdkafka::bindings::rd_kafka_vu_s__bindgen_ty_1 as Given;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer as _};

use crate::kafka::receipts::Receipts;

/// A topic's handle.
#[derive(Debug)]
pub(super) struct Topic(NonNull<rd::rd_kafka_topic_t>);

// SAFETY: librdkafka counts and locks its handles itself; any threads may use one, also at once.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

/// What is sent, but for the topic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub partition: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(&'a str, &'a [u8])],
    /// ms since 1970; 0: now.
    pub timestamp_ms: i64,
    /// By which its receipt names the partition.
    pub slot: usize,
}

impl Topic {
    /// Of this name, which `kafka::topic` has checked.
    pub fn new(producer: &BaseProducer<Receipts>, name: &str) -> Result<Self, KafkaError> {
        let name = CString::new(name)?;
        // SAFETY: the client and the name live for the length of the call; no settings of its own are given.
        let handle =
            unsafe { rd::rd_kafka_topic_new(producer.client().native_ptr(), name.as_ptr(), null_mut()) };
        // SAFETY: it tells of the call before, on this thread.
        let refused = || KafkaError::MessageProduction(unsafe { rd::rd_kafka_last_error() }.into());
        NonNull::new(handle).map(Self).ok_or_else(refused)
    }

    /// Queues a copy of the record. What was not queued brings no receipt.
    pub fn produce(&self, producer: &BaseProducer<Receipts>, record: &Record<'_>) -> Result<(), KafkaError> {
        let headers = Headers::of(record.headers)?;
        let bytes = |bytes: Option<&[u8]>| rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
            ptr: bytes.map_or(null_mut(), |bytes| bytes.as_ptr().cast_mut().cast()),
            size: bytes.map_or(0, <[u8]>::len),
        };
        let given = |vtype, u| rd::rd_kafka_vu_t { vtype, u };
        let parts = [
            given(vtype::RD_KAFKA_VTYPE_RKT, Given { rkt: self.0.as_ptr() }),
            given(vtype::RD_KAFKA_VTYPE_PARTITION, Given { i32_: record.partition }),
            given(vtype::RD_KAFKA_VTYPE_MSGFLAGS, Given { i: rd::RD_KAFKA_MSG_F_COPY }),
            given(vtype::RD_KAFKA_VTYPE_VALUE, Given { mem: bytes(record.value) }),
            given(vtype::RD_KAFKA_VTYPE_KEY, Given { mem: bytes(record.key) }),
            // As rdkafka hands it to `Receipts`, whose receipts are told apart by a number.
            given(vtype::RD_KAFKA_VTYPE_OPAQUE, Given { ptr: record.slot as *mut c_void }),
            given(vtype::RD_KAFKA_VTYPE_TIMESTAMP, Given { i64_: record.timestamp_ms }),
            given(vtype::RD_KAFKA_VTYPE_HEADERS, Given { headers: headers.0 }),
        ];
        // SAFETY: the client, the handle and all bytes live for the length of the call, which copies the bytes. Each part
        // has the member of the union that its type names (`rdkafka.h`, rd_kafka_vtype_t).
        let error =
            unsafe { rd::rd_kafka_produceva(producer.client().native_ptr(), parts.as_ptr(), parts.len()) };
        if error.is_null() {
            // They belong to the queue now.
            std::mem::forget(headers);
            return Ok(());
        }
        // SAFETY: the error is this call's, read once and then given back.
        let code = unsafe {
            let code = rd::rd_kafka_error_code(error);
            rd::rd_kafka_error_destroy(error);
            code
        };
        Err(KafkaError::MessageProduction(code.into()))
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: made by `rd_kafka_topic_new`, given back once, while its client lives.
        unsafe { rd::rd_kafka_topic_destroy(self.0.as_ptr()) }
    }
}

/// A list of headers; none is a null pointer.
struct Headers(*mut rd::rd_kafka_headers_t);

impl Headers {
    fn of(headers: &[(&str, &[u8])]) -> Result<Self, KafkaError> {
        if headers.is_empty() {
            return Ok(Self(null_mut()));
        }
        // SAFETY: it takes memory, and nothing else.
        let list = Self(unsafe { rd::rd_kafka_headers_new(headers.len()) });
        for (name, value) in headers {
            let [name_len, value_len] =
                [name.len(), value.len()].map(|len| isize::try_from(len).unwrap_or(0));
            // SAFETY: the list is ours, and name and value are copied.
            let code = unsafe {
                rd::rd_kafka_header_add(
                    list.0,
                    name.as_ptr().cast(),
                    name_len,
                    value.as_ptr().cast(),
                    value_len,
                )
            };
            if code != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Err(KafkaError::MessageProduction(code.into()));
            }
        }
        Ok(list)
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: ours, since no queue has taken it.
            unsafe { rd::rd_kafka_headers_destroy(self.0) }
        }
    }
}
