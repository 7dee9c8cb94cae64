//! `crdts`: a map of multi-value registers, one operation for each entry. It has no form for the wire; postcard makes the bytes.

use super::documents::Entries;
use crdts::{CmRDT as _, MVReg, Map};
use std::time::Instant;

type Register = MVReg<String, u64>;
type Document = Map<String, Register, u64>;
type Operation = crdts::map::Op<String, Register, u64>;

const ACTOR: u64 = 1;

pub fn import(entries: &Entries) -> anyhow::Result<f64> {
    let messages = messages(entries)?;
    let mut document = Document::new();
    let start = Instant::now();
    for message in &messages {
        for operation in postcard::from_bytes::<Vec<Operation>>(message)? {
            document.apply(operation);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    entries.check(|key| {
        let values = document.get(&key.to_owned()).val.map(|register| register.read().val);
        Ok(values.and_then(|mut values| values.pop()))
    })?;
    Ok(entries.list.len() as f64 / seconds)
}

fn messages(entries: &Entries) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut document = Document::new();
    let mut messages = Vec::new();
    for some in entries.list.chunks(entries.together) {
        let mut operations: Vec<Operation> = Vec::with_capacity(some.len());
        for (key, text) in some {
            let context = document.read_ctx().derive_add_ctx(ACTOR);
            let operation =
                document.update(key.as_str(), context, |register, context| register.write(text.clone(), context));
            document.apply(operation.clone());
            operations.push(operation);
        }
        messages.push(postcard::to_stdvec(&operations)?);
    }
    Ok(messages)
}
