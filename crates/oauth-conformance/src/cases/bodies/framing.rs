//! Bodies that are cut, too large, or coded.

use std::time::Duration;

use oauth_core::{ErrorKind, Limits, TransportError, TransportErrorKind};

use super::{answer, expect, json_body, marks};
use crate::{Context, Failure, Outcome, Reply, ensure};

const MIB: usize = 1024 * 1024;

/// What the sockets' buffers may hold beyond what a client has read, with room to spare.
const BUFFERS: u64 = 64 * MIB as u64;

pub(in crate::cases) async fn cut(cx: Context) -> Outcome {
    let marked = cx.target().token_answer("MARKcut7Q2x").to_string();
    let mut replies: Vec<(String, Reply)> =
        [1, marked.len() / 3, marked.len() / 2, marked.len() - 1]
            .map(|end| {
                (
                    format!("JSON cut after {end} bytes"),
                    json_body(&marked.as_bytes()[..end]),
                )
            })
            .into();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let (length, first) = (marked.len(), marked.len() - 1);
    let raw = [
        (
            "a body shorter than its Content-Length",
            format!("{head}Content-Length: {}\r\n\r\n{marked}", length + 100),
        ),
        (
            "a chunked body without an end",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{marked}\r\n"),
        ),
        (
            "a chunk that is cut",
            format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{}",
                &marked[..first]
            ),
        ),
        (
            "a chunk size that is no number",
            format!("{head}Transfer-Encoding: chunked\r\n\r\nMARKcut7Q2x\r\n{marked}\r\n0\r\n\r\n"),
        ),
        (
            "a head without an end",
            format!("{head}X-Mark: MARKcut7Q2x\r\n"),
        ),
    ];
    replies.extend(raw.map(|(sent, bytes)| (sent.to_owned(), Reply::raw(bytes))));
    for (sent, reply) in replies {
        let error = expect::error(&cx, &sent, reply).await?;
        let kind = error.kind();
        let right = matches!(kind, ErrorKind::Protocol | ErrorKind::Transport);
        ensure!(
            right,
            "sent {sent}, expected a protocol or transport error, got {kind:?}: {error}"
        );
        ensure!(
            !error.needs_reauthorization(),
            "sent {sent}, expected the session to be kept, got {:?}",
            error.recovery()
        );
        marks::unseen(&error, &["MARKcut7Q2x"], &sent)?;
    }
    Ok(())
}

pub(in crate::cases) async fn too_large(cx: Context) -> Outcome {
    let answer = answer(&cx);
    let padded = |length: usize| format!("{}{answer}", " ".repeat(length - answer.len()));
    expect::token(&cx, "a body of 1 MiB", json_body(padded(MIB))).await?;
    expect::token(&cx, "a chunked body of 1 MiB", chunked(&padded(MIB))).await?;
    for (sent, reply) in [
        ("a body of 1 MiB and a byte", json_body(padded(MIB + 1))),
        (
            "a chunked body of 1 MiB and a byte",
            chunked(&padded(MIB + 1)),
        ),
        ("a body of 4 MiB", json_body(padded(4 * MIB))),
        ("a chunked body of 4 MiB", chunked(&padded(4 * MIB))),
        ("a refusal of 4 MiB", json_body(padded(4 * MIB)).status(400)),
    ] {
        let error = expect::error_of(&cx, ErrorKind::Protocol, sent, reply).await?;
        let got = error.transport_error().map(TransportError::kind);
        ensure!(
            got == Some(TransportErrorKind::TooLarge),
            "sent {sent}, expected TooLarge, got {got:?}"
        );
    }
    let json = || Reply::new(200).header("Content-Type", "application/json");
    for (sent, reply) in [
        (
            "an endless chunked body",
            json().header("Transfer-Encoding", "chunked").endless(),
        ),
        (
            "an endless body of 256 MiB by its length",
            json().header("Content-Length", "268435456").endless(),
        ),
        (
            "an endless body that ends with the connection",
            json().header("Connection", "close").endless(),
        ),
        (
            "an endless refusal",
            json()
                .status(400)
                .header("Transfer-Encoding", "chunked")
                .endless(),
        ),
    ] {
        let server = cx.scripted([reply]).await?;
        let result = cx.ask(&cx.client(server.base_url())?).await;
        let error = result
            .err()
            .ok_or_else(|| Failure::new(format!("sent {sent}, expected an error, got a token")))?;
        expect::is(&error, ErrorKind::Protocol, sent)?;
        let written = server.cut_off().await?;
        ensure!(
            written <= BUFFERS,
            "sent {sent}, expected reading to stop at 1 MiB, got {written} bytes written"
        );
    }
    let server = cx.scripted([json_body(padded(2048))]).await?;
    let small = Limits::default()
        .with_body(1024)
        .with_total(Duration::from_secs(10));
    let result = cx
        .ask(&cx.builder(server.base_url())?.limits(small).build()?)
        .await;
    let kind = result.err().map(|error| error.kind());
    ensure!(
        kind == Some(ErrorKind::Protocol),
        "sent 2 KiB under a limit of 1 KiB, expected Protocol, got {kind:?}"
    );
    Ok(())
}

pub(in crate::cases) async fn codings(cx: Context) -> Outcome {
    let answer = answer(&cx);
    let server = cx.scripted([json_body(answer.clone())]).await?;
    cx.ask(&cx.client(server.base_url())?).await?;
    let offered = server.received()[0]
        .header("accept-encoding")
        .map(str::to_owned);
    let none = offered
        .as_deref()
        .is_none_or(|codings| codings.eq_ignore_ascii_case("identity"));
    ensure!(
        none,
        "asked for a token, expected no coding to be offered, got {offered:?}"
    );

    let coded = |coding: &str, body: Vec<u8>| json_body(body).header("Content-Encoding", coding);
    for (sent, reply) in [
        (
            "gzip that was not offered",
            coded("gzip", gzip(&[answer.as_bytes()])),
        ),
        (
            "x-gzip that was not offered",
            coded("x-gzip", gzip(&[answer.as_bytes()])),
        ),
        (
            "plain JSON labelled gzip",
            coded("gzip", answer.clone().into()),
        ),
        (
            "plain JSON labelled GZIP",
            coded("GZIP", answer.clone().into()),
        ),
        (
            "plain JSON labelled deflate",
            coded("deflate", answer.clone().into()),
        ),
        ("plain JSON labelled br", coded("br", answer.clone().into())),
        (
            "plain JSON labelled with a coding that nobody knows",
            coded("x-conformance", answer.clone().into()),
        ),
        (
            "plain JSON labelled with two codings",
            coded("identity, gzip", answer.clone().into()),
        ),
        (
            "gzip without a label",
            json_body(gzip(&[answer.as_bytes()])),
        ),
        ("a gzip bomb of 100 MiB", coded("gzip", bomb(100 * MIB))),
        (
            "a gzip bomb of 100 MiB under 400",
            coded("gzip", bomb(100 * MIB)).status(400),
        ),
    ] {
        expect::error_of(&cx, ErrorKind::Protocol, sent, reply).await?;
    }
    expect::token(
        &cx,
        "plain JSON labelled identity",
        coded("identity", answer.into()),
    )
    .await?;
    Ok(())
}

fn chunked(body: &str) -> Reply {
    let mut raw =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            .to_owned();
    for piece in body.as_bytes().chunks(16 * 1024) {
        raw.push_str(&format!(
            "{:x}\r\n{}\r\n",
            piece.len(),
            String::from_utf8_lossy(piece)
        ));
    }
    Reply::raw(raw + "0\r\n\r\n")
}

/// Gzip (RFC 1952) of stored blocks, each of less than 64 KiB.
fn gzip(blocks: &[&[u8]]) -> Vec<u8> {
    let mut out = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    let (mut crc, mut size) = (!0_u32, 0_u32);
    for (index, block) in blocks.iter().enumerate() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(index + 1 == blocks.len()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend_from_slice(block);
        size += u32::from(length);
        for byte in *block {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
            }
        }
    }
    out.extend((!crc).to_le_bytes());
    out.extend(size.to_le_bytes());
    out
}

/// Gzip of at least `size` blanks in about a 160th of it: a fixed Huffman block (RFC 1951 §3.2.6)
/// of one blank and then copies of 258.
fn bomb(size: usize) -> Vec<u8> {
    let mut out = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    let (mut bits, mut count) = (0_u32, 0);
    let mut put = |value: u32, length: u32| {
        bits |= value << count;
        count += length;
        while count >= 8 {
            out.push((bits & 0xff) as u8);
            bits >>= 8;
            count -= 8;
        }
    };
    put(0b011, 3); // The last block, fixed codes.
    put(0b0000_1010, 8); // Literal 0x20 is 0101 0000, first bit first.
    for _ in 0..size / 258 {
        put(0b1010_0011, 8); // Length 258 is 1100 0101, first bit first.
        put(0, 5); // Distance 1.
    }
    put(0, 7); // The end.
    put(0, 8);
    out.extend([0; 8]);
    out
}
