//! `/v1/collections`.

use crate::answer;
use crate::app::App;
use crate::call::Call;
use crate::problem::{Code, Problem};
use anabranch::resolvers::MAX_DECLARED_FIELD;
use anabranch::{Change, Collection, Kind, ReadError, Refusal, View, Write, WriteError};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::http::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How deep the body of a declaration is nested at most: a little, for a good message about what is wrong.
const DEPTH: usize = 8;

/// `GET /v1/collections`
pub(crate) async fn list(State(app): State<Arc<App>>, call: Call) -> Result<Response, Problem> {
    call.query(&[])?;
    let view = call.view(&app).await?;
    let collections: Vec<Value> = view.collections().map(|collection| describe(&view, collection)).collect();
    Ok(answer::of(&view, StatusCode::OK, &json!({ "collections": collections })))
}

/// `GET /v1/collections/{c}`
pub(crate) async fn one(State(app): State<Arc<App>>, call: Call) -> Result<Response, Problem> {
    let path = call.collection()?;
    call.query(&[])?;
    let view = call.view(&app).await?;
    Ok(answer::of(&view, StatusCode::OK, &describe(&view, view.collection(&path)?)))
}

fn describe(view: &View, collection: &Collection) -> Value {
    let catalog = view.catalog();
    let mut body = json!({
        "name": catalog.path(collection),
        "resolver": collection.resolver,
        "kind": collection.kind.to_string(),
    });
    if !collection.concurrent.is_empty() {
        body["concurrent"] = json!(collection.concurrent);
    }
    if !collection.fields.is_empty() {
        body["fields"] = json!(collection.fields);
    }
    let others = catalog.named(&collection.name).filter(|other| other.kind != collection.kind);
    let others: Vec<String> = others.map(|other| catalog.path(other)).collect();
    if !others.is_empty() {
        body["also"] = others.into();
    }
    body
}

/// `PUT /v1/collections/{c}`
pub(crate) async fn put(State(app): State<Arc<App>>, call: Call, body: Body) -> Result<Response, Problem> {
    let path = call.collection()?;
    let terms = call.terms(&app)?;
    let Declared { resolver, fields } = declared(call.json(&app, body, DEPTH).await?)?;
    let view = call.base(&app).await?;
    let kind = kind(&view, &resolver)?;
    check_fields(&view, kind, &fields)?;
    let name = path.split('~').next().unwrap_or_default().to_owned();
    let found = found(&view, &path)?.cloned();
    let named = path.split_once('~').and_then(|(_, kind)| Kind::from_name(kind));
    let other = found.as_ref().map(|found| found.kind).or(named).filter(|other| *other != kind);
    if let Some(other) = other {
        let resolver_of = found.as_ref().map_or_else(|| other.to_string(), |found| found.resolver.clone());
        let detail = format!("collection {path} is of kind {other}, and {resolver} makes it a {kind}");
        return Err(Problem::new(Code::ResolverMismatch, detail).with("resolver", resolver_of));
    }
    let has = |found: &Collection| fields.iter().all(|(field, named)| found.fields.get(field) == Some(named));
    let is_so =
        found.as_ref().is_some_and(|found| found.resolver == resolver && found.concurrent.is_empty() && has(found));
    // Whether others have it, too, only a transaction after it can tell.
    if is_so && terms.key.is_none() && terms.only_here() {
        let body = found.map(|found| describe(&view, &found)).unwrap_or_default();
        return Ok(answer::of(&view, StatusCode::OK, &body));
    }
    drop(view);
    let made = found.is_none();
    let mut changes = vec![Change::Declare { collection: name.clone(), kind, resolver }];
    let field = |(field, resolver)| Change::Field { collection: name.clone(), field, resolver };
    changes.extend(fields.into_iter().map(field));
    let written = app.database.apply_async(Write { changes, key: terms.key }).await;
    let written = written.map_err(refused)?;
    let view = app.database.view();
    let mut body = view.catalog().get(&name, kind).map(|found| describe(&view, found)).unwrap_or_else(|| json!({}));
    body["dot"] = written.dot.to_string().into();
    if written.repeated {
        body["repeated"] = true.into();
    }
    terms.acknowledged(&app, written.dot, body.as_object().unwrap_or(&Map::new())).await?;
    let status = if made && !written.repeated { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer::of(&view, status, &body))
}

/// What the path means now; `None` when there is no such collection.
fn found<'a>(view: &'a View, path: &str) -> Result<Option<&'a Collection>, Problem> {
    match view.collection(path) {
        Ok(found) => Ok(Some(found)),
        Err(ReadError::NoSuchCollection(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What a declaration asks for.
struct Declared {
    resolver: String,
    /// Maps: the resolvers of fields that have one of their own.
    fields: BTreeMap<String, String>,
}

fn declared(body: Value) -> Result<Declared, Problem> {
    const FORM: &str = r#"expected {"resolver":name}, for maps also "fields":{field:name}"#;
    let malformed = || Problem::bad_request(FORM);
    let Value::Object(mut body) = body else { return Err(malformed()) };
    let Some(Value::String(resolver)) = body.remove("resolver") else { return Err(malformed()) };
    let fields = body.remove("fields").unwrap_or_else(|| json!({}));
    let fields = serde_json::from_value(fields).map_err(|_| malformed())?;
    if body.is_empty() { Ok(Declared { resolver, fields }) } else { Err(malformed()) }
}

fn check_fields(view: &View, of: Kind, fields: &BTreeMap<String, String>) -> Result<(), Problem> {
    if of != Kind::MAP && !fields.is_empty() {
        return Err(Problem::bad_request(format!("fields are for maps, and this makes it a {of}")));
    }
    for (field, resolver) in fields {
        if !(1..=MAX_DECLARED_FIELD).contains(&field.len()) {
            let detail = format!("a field with a resolver has 1 to {MAX_DECLARED_FIELD} bytes");
            return Err(Problem::bad_request(detail));
        }
        if kind(view, resolver)? != Kind::REGISTER {
            let detail = format!("{resolver} is no resolver of registers: a field cannot have it");
            return Err(Problem::new(Code::NotSupported, detail));
        }
    }
    Ok(())
}

fn kind(view: &View, resolver: &str) -> Result<Kind, Problem> {
    let registry = view.registry();
    let found = registry.by_name(resolver).map(|found| found.kind());
    found.ok_or_else(|| {
        let known = registry.names().collect::<Vec<_>>().join(", ");
        let shown: String = resolver.chars().take(64).collect();
        Problem::new(Code::NotSupported, format!("there is no resolver {shown:?} in this build; there are {known}"))
    })
}

/// That there are too many collections says nothing about the size of the request.
fn refused(error: WriteError) -> Problem {
    match error {
        WriteError::Refused(Refusal::TooLarge(detail)) => Problem::new(Code::Rejected, detail),
        error => error.into(),
    }
}
