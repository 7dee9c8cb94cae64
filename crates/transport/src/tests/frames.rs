//! Streams of frames, with honest and with dishonest peers.

use std::time::Duration;

use crate::tests::support::{Pair, pair, soon};
use crate::{CloseReason, FrameReceiver, RecvError, SendError};

const MAX: usize = 4 * 1024 * 1024;

/// A stream on which `bytes` were sent as they are.
async fn raw(pair: &Pair, bytes: &[u8]) -> (quinn::SendStream, FrameReceiver) {
    let (mut send, _recv) = pair.dialer.raw().open_bi().await.unwrap();
    send.write_all(bytes).await.unwrap();
    let (_, receiver) = soon(pair.answerer.accept_stream()).await.unwrap();
    (send, receiver)
}

#[tokio::test]
async fn frames_go_both_ways() {
    let pair = pair().await;
    let (mut send, mut recv) = pair.dialer.open().await.unwrap();
    send.send(b"hello").await.unwrap();
    let (mut back, mut there) = soon(pair.answerer.accept_stream()).await.unwrap();
    assert_eq!(soon(there.recv()).await.unwrap().unwrap(), b"hello");
    back.send(b"and back").await.unwrap();
    assert_eq!(soon(recv.recv()).await.unwrap().unwrap(), b"and back");

    // Both halves in tasks of their own; the longest frame allowed, then many small ones.
    let sender = tokio::spawn(async move {
        let long: Vec<u8> = (0..MAX).map(|i| i as u8).collect();
        send.send(&long).await.unwrap();
        let small: Vec<Vec<u8>> = (0..20_000_u32).map(|i| i.to_le_bytes().to_vec()).collect();
        send.send_many(&small).await.unwrap();
        send.send_many::<&[u8]>(&[]).await.unwrap();
        send.finish().await.unwrap();
        let error = send.send(b"late").await.unwrap_err();
        assert_eq!(error, SendError::Finished);
    });
    let long = soon(there.recv()).await.unwrap().unwrap();
    assert_eq!(long.len(), MAX);
    assert!(long.iter().enumerate().all(|(i, &b)| b == i as u8));
    let mut waits = 0;
    for i in 0..20_000_u32 {
        let frame = match there.buffered().unwrap() {
            Some(frame) => frame,
            None => {
                waits += 1;
                soon(there.recv()).await.unwrap().unwrap()
            }
        };
        assert_eq!(frame, i.to_le_bytes());
    }
    assert!(waits < 1000, "{waits} waits for 20000 small frames");
    assert_eq!(soon(there.recv()).await, Ok(None));
    assert_eq!(soon(there.recv()).await, Ok(None));
    soon(sender).await.unwrap();
}

#[tokio::test]
async fn unsendable_frames_are_refused_before_anything_is_sent() {
    let pair = pair().await;
    let (mut send, _) = pair.dialer.open().await.unwrap();
    assert_eq!(send.send(b"").await, Err(SendError::Empty));
    let long = vec![0; MAX + 1];
    let error = send.send_many(&[b"good".as_slice(), &long]).await.unwrap_err();
    assert_eq!(error, SendError::TooLong { length: MAX + 1, max: MAX as u32 });
    send.send(b"first").await.unwrap();
    let (_, mut there) = soon(pair.answerer.accept_stream()).await.unwrap();
    assert_eq!(soon(there.recv()).await.unwrap().unwrap(), b"first");
}

#[tokio::test]
async fn announced_length_is_not_believed() {
    let pair = pair().await;
    for declared in [MAX as u32 + 1, u32::MAX] {
        let (send, mut receiver) = raw(&pair, &declared.to_le_bytes()).await;
        let error = soon(receiver.recv()).await.unwrap_err();
        assert_eq!(error, RecvError::TooLong { declared, max: MAX as u32 });
        assert_eq!(receiver.allocated(), 0);
        assert_eq!(receiver.recv().await.unwrap_err(), error);
        // The sender is told.
        assert!(soon(send.stopped()).await.unwrap().is_some());
    }
    // The longest length allowed, but hardly any bytes: memory grows with the bytes.
    let mut bytes = (MAX as u32).to_le_bytes().to_vec();
    bytes.extend([7; 1000]);
    let (_send, mut receiver) = raw(&pair, &bytes).await;
    let wait = tokio::time::timeout(Duration::from_millis(100), receiver.recv());
    assert!(wait.await.is_err());
    assert!((1000..4096).contains(&receiver.allocated()), "{}", receiver.allocated());
}

#[tokio::test]
async fn broken_streams_are_told_from_ended_ones() {
    let pair = pair().await;
    let (mut send, mut receiver) = raw(&pair, &[3, 0, 0, 0, b'a', b'b']).await;
    send.finish().unwrap();
    assert_eq!(soon(receiver.recv()).await, Err(RecvError::Truncated));

    let (mut send, mut receiver) = raw(&pair, &[3, 0]).await;
    send.finish().unwrap();
    assert_eq!(soon(receiver.recv()).await, Err(RecvError::Truncated));

    let (_send, mut receiver) = raw(&pair, &[1, 0, 0, 0, b'a', 0, 0, 0, 0]).await;
    assert_eq!(soon(receiver.recv()).await.unwrap().unwrap(), b"a");
    assert_eq!(soon(receiver.recv()).await, Err(RecvError::Empty));

    let (mut send, mut receiver) = raw(&pair, &[1]).await;
    send.reset(9_u32.into()).unwrap();
    assert_eq!(soon(receiver.recv()).await, Err(RecvError::Reset { code: 9 }));

    let (_send, mut receiver) = raw(&pair, &[1]).await;
    pair.dialer.close(42, "bye\nfake log line");
    let reason = CloseReason::Peer { code: 42, reason: "bye fake log line".into() };
    assert_eq!(soon(receiver.recv()).await, Err(RecvError::Closed(reason.clone())));
    assert_eq!(soon(pair.answerer.closed()).await, reason);
    assert_eq!(pair.dialer.closed().await, CloseReason::Local);
    assert_eq!(pair.dialer.open().await.unwrap_err(), CloseReason::Local);
}

#[tokio::test]
async fn receiving_survives_cancellation() {
    let pair = pair().await;
    let (mut send, mut receiver) = raw(&pair, &[5]).await;
    for byte in *b"\0\0\0abcde" {
        let wait = tokio::time::timeout(Duration::from_millis(5), receiver.recv());
        assert!(wait.await.is_err());
        send.write_all(&[byte]).await.unwrap();
    }
    assert_eq!(soon(receiver.recv()).await.unwrap().unwrap(), b"abcde");
}

#[tokio::test]
async fn sending_survives_cancellation() {
    let pair = pair().await;
    let (mut send, _back) = pair.dialer.open().await.unwrap();
    // Nobody reads: the windows fill up and sending has to wait.
    let long = vec![1; MAX];
    let mut begun = 0;
    loop {
        begun += 1;
        let wait = tokio::time::timeout(Duration::from_millis(300), send.send(&long));
        if wait.await.is_err() {
            break;
        }
    }
    let (_, mut there) = soon(pair.answerer.accept_stream()).await.unwrap();
    let reader = tokio::spawn(async move {
        let mut lengths = Vec::new();
        while let Some(frame) = there.recv().await.unwrap() {
            lengths.push(frame.len());
        }
        lengths
    });
    soon(send.send(b"after")).await.unwrap();
    soon(send.finish()).await.unwrap();
    let mut expected = vec![MAX; begun];
    expected.push(5);
    assert_eq!(soon(reader).await.unwrap(), expected);
}
