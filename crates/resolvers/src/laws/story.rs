//! Telling a history to people.

use super::run::Run;
use super::script::Script;
use super::{Law, Spec};
use crate::operation::Operation;
use crate::resolver::Resolver;
use anabranch_causality::{Actor, Context, Dot, Effect, OperationId, Origin, Tag};

/// How much of a value is shown, in characters.
const SHOWN: usize = 200;

/// The whole story of a history that breaks a law. `before` is how many operations it had before it was cut down.
pub(super) fn tell(
    resolver: &dyn Resolver,
    spec: Option<Spec<'_>>,
    script: &Script,
    case: u64,
    seed: u64,
    before: usize,
) -> String {
    let mut run = Run::new(resolver, spec, script);
    run.story = Some(Vec::new());
    // Played before, with this end; should it end well now, the resolver itself is not a function.
    let (law, what) = match run.play() {
        Err(failure) => (failure.law, failure.what),
        Ok(()) => (Law::PrepareRepeats, "the history ended well when it was played again".to_owned()),
    };
    let mut lines = vec![
        format!("{} breaks a law: {law}", resolver.name()),
        format!("case {case} of seed {seed}, cut down from {before} operations to {}", script.operations()),
        String::new(),
    ];
    lines.extend(run.story.take().unwrap_or_default());
    lines.push("in the end, each with what it applied, in order:".to_owned());
    for (index, node) in run.nodes.iter().enumerate().filter(|(_, node)| !node.order.is_empty()) {
        let order: Vec<String> = node.order.iter().map(dot).collect();
        lines.push(format!("  {}: {} → {}", self::node(index), order.join(" "), cut(&run.shown(&node.replica))));
    }
    lines.push(format!("broken: {}", cut(&what)));
    lines.join("\n")
}

pub(super) fn asked(at: usize, id: &OperationId, operations: &[Operation], context: Option<&Context>) -> String {
    let forms: Vec<String> = operations.iter().map(|operation| cut(&operation.to_json().to_string())).collect();
    let saw = context.map_or(String::new(), |context| format!(", having seen {}", tags(context.tags())));
    format!("  {} is asked for {} as {}{saw}", node(at), forms.join(", then "), self::id(id))
}

pub(super) fn repeated(at: usize, id: &OperationId) -> String {
    format!("  {} is asked for {} again, and has it", node(at), self::id(id))
}

pub(super) fn effects(id: &OperationId, effects: &[Effect]) -> String {
    let mut parts = Vec::new();
    for effect in effects {
        for group in &effect.supersedes {
            parts.push(format!("supersedes {}", tags(&group.tags)));
        }
        for add in &effect.adds {
            let tag = Tag { operation: *id, position: add.position };
            parts.push(format!("adds {} = {} as {}", bytes(&add.subkey), bytes(&add.payload), self::tag(&tag)));
        }
        for fold in &effect.folds {
            parts.push(format!("folds {} into {}", bytes(&fold.payload), bytes(&fold.subkey)));
        }
    }
    let parts = if parts.is_empty() { "changes nothing".to_owned() } else { parts.join(", ") };
    format!("     it {parts}")
}

pub(super) fn sent(from: usize, to: usize, dots: &[Dot]) -> String {
    let dots: Vec<String> = dots.iter().map(dot).collect();
    let what = if dots.is_empty() { "nothing".to_owned() } else { dots.join(" ") };
    format!("  {} sends {} {what}", node(from), node(to))
}

/// A, B, C …; whoever comes after the 26th is numbered.
pub(super) fn node(index: usize) -> String {
    match u8::try_from(index) {
        Ok(letter) if letter < 26 => char::from(b'A' + letter).to_string(),
        _ => format!("R{index}"),
    }
}

/// The origin as which a replica writes.
pub(super) fn origin(replica: usize) -> Origin {
    Origin(replica as u64 + 1)
}

/// The replica that writes as this origin.
pub(super) fn index(origin: Origin) -> usize {
    (origin.0 - 1) as usize
}

fn dot(dot: &Dot) -> String {
    format!("{}:{}", node(index(dot.origin)), dot.seq)
}

pub(super) fn id(id: &OperationId) -> String {
    match id.actor {
        Actor::Leader(origin) => format!("{}/{}", node(index(origin)), id.counter),
        Actor::Session(session) => format!("s{}/{}", session.0[15] + 1, id.counter),
    }
}

pub(super) fn tag(tag: &Tag) -> String {
    format!("{}.{}", id(&tag.operation), tag.position)
}

pub(super) fn tags<'a>(tags: impl IntoIterator<Item = &'a Tag>) -> String {
    let tags: Vec<String> = tags.into_iter().map(tag).collect();
    if tags.is_empty() { "nothing".to_owned() } else { tags.join(" ") }
}

/// As text if it is some, else in hexadecimal digits.
pub(super) fn bytes(bytes: &[u8]) -> String {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => format!("{text:?}"),
        _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    cut(&text)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
