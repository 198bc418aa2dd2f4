use proptest::prelude::*;
use tokio::io::duplex;

use super::*;
use crate::damage::memory_of;

const PATIENCE: Duration = Duration::from_secs(30);

/// Contents as packets, numbered from 0.
fn packets(contents: &[Vec<u8>]) -> Vec<u8> {
    let mut number = 0u8;
    let mut bytes = Vec::new();
    for content in contents {
        let mut rest = content.as_slice();
        loop {
            let (part, after) = rest.split_at(rest.len().min(LENGTH_MAX));
            bytes.extend_from_slice(&part.len().to_le_bytes()[..3]);
            bytes.push(number);
            bytes.extend_from_slice(part);
            number = number.wrapping_add(1);
            rest = after;
            if part.len() < LENGTH_MAX {
                break;
            }
        }
    }
    bytes
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// How a content is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Whole,
    /// Without waiting, where that is possible.
    AtHand,
    InParts,
    /// Looked at first; and waiting is given up and begun anew as long as nothing comes.
    Impatient,
}

async fn content(packets: &mut Packets, way: Way, sent: &[u8]) -> Vec<u8> {
    match way {
        Way::Whole => packets.next().await.unwrap().to_vec(),
        Way::AtHand => match packets.at_hand().unwrap() {
            Some(content) => content.to_vec(),
            None => packets.next().await.unwrap().to_vec(),
        },
        Way::InParts => {
            let mut all = Vec::new();
            while let Some(part) = packets.next_part().await.unwrap() {
                all.extend_from_slice(&part);
            }
            all
        }
        Way::Impatient => loop {
            if !packets.is_within() {
                tokio::select! {
                    biased;
                    peeked = packets.peek(30) => assert!(sent.starts_with(peeked.unwrap().0)),
                    () = tokio::task::yield_now() => continue,
                }
            }
            tokio::select! {
                biased;
                content = packets.next() => return content.unwrap().to_vec(),
                () = tokio::task::yield_now() => {}
            }
        },
    }
}

fn lengths() -> impl Strategy<Value = usize> {
    let edge = prop::sample::select(vec![0, 1, 23, IN_BUFFER_MAX - 1, IN_BUFFER_MAX, IN_BUFFER_MAX + 1]);
    prop_oneof![3 => 0..300usize, 1 => 0..3 * BUFFER_BYTES, 1 => edge]
}

/// Bytes of which no part is like the beginning.
fn varied(first: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| if at < 30 { first } else { (at % 251) as u8 ^ first ^ 0x55 }).collect()
}

fn is_as_sent(contents: &[Vec<u8>], sent_at_a_time: usize, ways: &[Way]) {
    let bytes = packets(contents);
    runtime().block_on(async {
        let (mut server, client) = duplex(sent_at_a_time);
        let writing = tokio::spawn(async move { server.write_all(&bytes).await.map(|()| server) });
        let mut packets = Packets::new(Box::new(client), PATIENCE);
        for (sent, way) in contents.iter().zip(ways.iter().cycle()) {
            assert!(content(&mut packets, *way, sent).await == *sent, "{} bytes, {way:?}", sent.len());
        }
        drop(writing.await.unwrap().unwrap());
        let error = packets.next().await.unwrap_err();
        assert!(matches!(error, Error::Driver(DriverError::ConnectionClosed)), "{error}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn contents_are_as_they_were_sent(
        lengths in prop::collection::vec(lengths(), 1..20),
        sent_at_a_time in 1..100_000usize,
        ways in prop::collection::vec(prop::sample::select(vec![Way::Whole, Way::AtHand, Way::InParts, Way::Impatient]), 1..4),
    ) {
        let contents: Vec<_> = (0..).zip(&lengths).map(|(first, length)| varied(first, *length)).collect();
        is_as_sent(&contents, sent_at_a_time.max(lengths.iter().sum::<usize>() / 500), &ways);
    }
}

#[test]
fn contents_over_several_packets_are_joined() {
    for length in [LENGTH_MAX - 1, LENGTH_MAX, LENGTH_MAX + 1, 2 * LENGTH_MAX] {
        let contents = [varied(1, 10), varied(2, length), varied(3, 10)];
        for way in [Way::Whole, Way::AtHand, Way::InParts, Way::Impatient] {
            is_as_sent(&contents, 1 << 20, &[way]);
        }
    }
}

/// A server of a protocol that is plain: every byte is there when it is asked for.
fn at_once(contents: &[Vec<u8>]) -> Packets {
    Packets::new(Box::new(std::io::Cursor::new(packets(contents))), PATIENCE)
}

#[test]
fn no_memory_is_asked_for_a_packet() {
    const PACKETS: usize = 20_000;
    let contents: Vec<_> = (0..PACKETS).map(|index| vec![7; index * 37 % 9_000]).collect();
    let bytes: usize = contents.iter().map(Vec::len).sum();
    let mut there = at_once(&contents);
    let runtime = runtime();
    let counted = allocation_counter::measure(|| {
        runtime.block_on(async {
            for _ in 0..PACKETS {
                drop(there.next().await.unwrap());
            }
        });
    });
    assert!(counted.count_total < 100, "{counted:?} for {PACKETS} packets of {bytes} bytes");
    // One that is kept keeps what it lies in, and no more is asked for than that.
    let mut there = at_once(&contents);
    let taken = memory_of(|| {
        runtime.block_on(async {
            let mut kept = None;
            for _ in 0..PACKETS {
                kept = Some(there.next().await.unwrap());
            }
            drop(kept);
        });
    });
    assert!(taken <= 3 * BUFFER_BYTES as u64, "{taken} bytes of memory");
}

#[test]
fn a_large_content_takes_its_memory_with_it() {
    let contents = [vec![1; 5 << 20], vec![2; 100]];
    let mut there = at_once(&contents);
    let taken = memory_of(|| {
        runtime().block_on(async {
            there.next().await.unwrap();
            there.next().await.unwrap();
        });
    });
    assert!(taken <= (6 << 20), "{taken} bytes of memory");
    assert!(there.large.capacity() == 0 && there.buffer.capacity() <= BUFFER_BYTES);
}

#[test]
fn a_packet_out_of_turn_is_an_error() {
    let mut bytes = packets(&[vec![1; 10], vec![2; 10]]);
    bytes[14 + 3] = 7;
    runtime().block_on(async {
        let mut there = Packets::new(Box::new(std::io::Cursor::new(bytes)), PATIENCE);
        there.next().await.unwrap();
        let error = there.next().await.unwrap_err();
        assert!(matches!(error, Error::Driver(DriverError::PacketOutOfOrder)), "{error}");
    });
}

#[test]
fn silence_is_noticed_and_a_byte_breaks_it() {
    let max = Duration::from_millis(300);
    runtime().block_on(async {
        let (mut server, client) = duplex(100);
        let mut packets = Packets::new(Box::new(client), max);
        let slow = tokio::spawn(async move {
            for byte in [3, 0, 0, 0, 1, 2, 3] {
                tokio::time::sleep(max / 3).await;
                server.write_all(&[byte]).await.unwrap();
            }
            server
        });
        assert_eq!(packets.next().await.unwrap(), &[1, 2, 3][..]);
        let mut server = slow.await.unwrap();
        let error = packets.next().await.unwrap_err();
        assert!(error.to_string().contains("not been heard of"), "{error}");
        server.shutdown().await.unwrap();
    });
}

/// While the reader was away nobody looked whether something came, and the server may have been held up by it.
#[test]
fn who_was_away_for_long_looks_once_more() {
    let max = Duration::from_millis(100);
    runtime().block_on(async {
        let (mut server, client) = duplex(100);
        let mut packets = Packets::new(Box::new(client), max);
        std::thread::sleep(max * 2);
        let held_up = tokio::spawn(async move {
            tokio::time::sleep(max).await;
            server.write_all(&[1, 0, 0, 0, 9]).await.unwrap();
            server
        });
        assert_eq!(packets.next().await.unwrap(), &[9][..]);
        drop(held_up.await.unwrap());
    });
}
