//! One socket of the bare server.

use std::rc::Rc;

use anyhow::Result;
use bytes::{Bytes, BytesMut};
use schema::wire::{ClientFrame, Close, ServerFrame};
use schema::{ConversationId, Ref, SessionId};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::conversation::{self, Defect};
use super::server::Shared;
use crate::socket::{ACCEPT, Decoder, Opcode, Role, encode};

pub(super) async fn serve(mut stream: TcpStream, buffer: BytesMut, shared: Rc<Shared>) -> Result<()> {
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: {ACCEPT}\r\nsec-websocket-protocol: {}\r\n\r\n",
        schema::wire::SUBPROTOCOL
    );
    stream.write_all(answer.as_bytes()).await?;
    let mut session = Session { shared, out: Vec::new(), feed: None, decoder: Decoder { buffer } };
    session.send(&ServerFrame::Hello { session: SessionId::generate(), ping_ms: 25_000 })?;
    loop {
        while let Some(frame) = session.decoder.take()? {
            match frame.opcode {
                Opcode::Text => session.obey(&frame.payload)?,
                Opcode::Close => {
                    encode(Role::Server, Opcode::Close, &Close::NORMAL.code.to_be_bytes(), &mut session.out);
                    stream.write_all(&session.out).await?;
                    return Ok(());
                }
                _ => {}
            }
        }
        if !session.out.is_empty() {
            stream.write_all(&session.out).await?;
            session.out.clear();
        }
        if session.feed.is_some() && session.shared.defect == Defect::CutSockets {
            return Ok(());
        }
        tokio::select! {
            read = stream.read_buf(&mut session.decoder.buffer) => {
                if read? == 0 {
                    return Ok(());
                }
            }
            fed = next(&mut session.feed) => {
                let Some(frame) = fed else { return Ok(()) };
                encode(Role::Server, Opcode::Text, &frame, &mut session.out);
                // Whatever waits goes with it in the same write.
                while let Some(Ok(frame)) = session.feed.as_mut().map(mpsc::Receiver::try_recv) {
                    encode(Role::Server, Opcode::Text, &frame, &mut session.out);
                }
            }
        }
    }
}

async fn next(feed: &mut Option<mpsc::Receiver<Bytes>>) -> Option<Bytes> {
    match feed {
        Some(feed) => feed.recv().await,
        None => std::future::pending().await,
    }
}

struct Session {
    shared: Rc<Shared>,
    out: Vec<u8>,
    feed: Option<mpsc::Receiver<Bytes>>,
    decoder: Decoder,
}

impl Session {
    fn obey(&mut self, payload: &[u8]) -> Result<()> {
        match serde_json::from_slice(payload)? {
            ClientFrame::Join { r#ref, conversation, after, .. } => {
                let id = conversation.unwrap_or_else(|| self.shared.open());
                let defect = self.shared.defect;
                let (feed, head, missed) = self.shared.with(id, |conversation| {
                    (conversation.listen(), conversation.events.len(), conversation.since(id, after.seq, defect))
                })?;
                self.feed = Some(feed);
                self.reply(r#ref, json!({ "conversation": id, "head": head }))?;
                missed.iter().try_for_each(|frame| self.send(frame))
            }
            ClientFrame::Say { r#ref, conversation, text, .. } => self.say(r#ref, conversation, text),
            ClientFrame::Ping { r#ref } => self.reply(r#ref, json!({})),
            _ => Ok(()),
        }
    }

    fn say(&mut self, re: Ref, id: ConversationId, text: schema::Text) -> Result<()> {
        let defect = self.shared.defect;
        let (seq, due) = self.shared.with(id, |conversation| conversation.say(id, re.clone(), text.clone(), defect))?;
        self.reply(re, json!({ "seq": seq }))?;
        if due {
            let shared = self.shared.clone();
            tokio::task::spawn_local(async move {
                // Without a stub there is no reply, and the scenario says so.
                let _ = conversation::reply(&shared, shared.stub, id, text.as_str(), seq).await;
            });
        }
        Ok(())
    }

    fn reply(&mut self, re: Ref, ok: Value) -> Result<()> {
        self.send(&ServerFrame::Reply { r#ref: re, ok: Some(ok), error: None })
    }

    fn send(&mut self, frame: &ServerFrame) -> Result<()> {
        encode(Role::Server, Opcode::Text, &serde_json::to_vec(frame)?, &mut self.out);
        Ok(())
    }
}
