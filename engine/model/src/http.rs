//! One request, one streamed answer: the transport under the three adapters.
//! Invariant: no redirects, and no second request for a reply but for one whose form was refused; dropping the
//! stream closes the socket.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};
use schema::ErrorCode;
use tokio::time::Instant;

use super::client::{chain, whole};
use super::first_words::FirstWords;
use super::lenient::says;
use super::manners::{Manners, Parameter, Refusals};
use super::probe::Probe;
use super::sse::{Decoder, Dialect};
use super::taken_back::take_back;
use super::{Chunk, ChunkStream, ModelError};

/// Bytes read of a body that explains an error.
const ERROR_BODY_BYTES_MAX: usize = 4 * 1024;
/// How long that may take; the status alone says enough.
const ERROR_BODY_WAIT: Duration = Duration::from_secs(1);
/// How long a finished reply may wait for its body's last bytes, so that the connection can be
/// used again. They are nearly always there already.
const LAST_BYTES_WAIT: Duration = Duration::from_millis(50);

/// How a model is asked: its request without what its server refuses, and what is sent then.
pub(super) trait Asking: Send + Sync + 'static {
    /// The request.
    fn request(&self, without: Refusals) -> RequestBuilder;

    /// Which parameters of those that may be refused it has.
    fn sends(&self, without: Refusals) -> Refusals;

    /// How its server can be asked for the model's size, where it may know.
    fn probe(&self) -> Option<Probe> {
        None
    }
}

/// Sends the request and decodes the answer as it comes.
pub(super) fn stream<D: Dialect + Default>(asking: impl Asking, manners: Manners) -> ChunkStream {
    Box::pin(async_stream::stream! {
        let taken = match taken(&asking, &manners).await {
            Ok(taken) => taken,
            Err(error) => {
                yield Err(error);
                return;
            }
        };
        if let Some(probe) = asking.probe().filter(|_| manners.size_is_to_be_asked()) {
            let manners = manners.clone();
            tokio::spawn(async move { probe.ask().await.into_iter().for_each(|tokens| manners.told(tokens)) });
        }
        // Taken by the provider: from here on it is at work, and bills.
        yield Ok(Chunk::Alive);
        let (begins, listen) = manners.begins();
        let mut decoder = Decoder::new(D::default(), begins).sure(!listen);
        let mut out = Vec::new();
        let mut response = match taken {
            Taken::Stream(response) => response,
            Taken::Whole(json) => {
                let result = decoder.whole(&json, &mut out);
                decoder.lesson().into_iter().for_each(|begins| manners.began(begins));
                for chunk in take_back(out) {
                    yield Ok(chunk);
                }
                if let Err(error) = result {
                    yield Err(error);
                }
                return;
            }
        };
        let (mut first, mut lesson) = (FirstWords::new(listen), None);
        // Since the model said that it is done, until when its server may say its last words.
        let mut grace: Option<Instant> = None;
        loop {
            let due = first.due().into_iter().chain(grace).min();
            let chunk = match due {
                None => response.chunk().await,
                Some(due) => match tokio::time::timeout_at(due, response.chunk()).await {
                    Ok(chunk) => chunk,
                    Err(_) if grace.is_some_and(|grace| grace <= Instant::now()) => Ok(None),
                    Err(_) => {
                        first.release(&mut out);
                        for chunk in out.drain(..) {
                            yield Ok(chunk);
                        }
                        continue;
                    }
                },
            };
            let result = match chunk {
                Ok(Some(bytes)) => {
                    let result = decoder.feed(bytes, &mut out);
                    if out.is_empty() && result.is_ok() {
                        yield Ok(Chunk::Alive);
                    }
                    let speaks = out.iter().any(|chunk| matches!(chunk, Chunk::Text(_)));
                    if speaks || grace.is_none() {
                        grace = decoder.grace().map(|grace| Instant::now() + grace);
                    }
                    result
                }
                // What has come of an event that is never finished is nothing that is waited for.
                Ok(None) if grace.is_some_and(|grace| grace <= Instant::now()) => decoder.close(&mut out),
                Ok(None) => decoder.finish(&mut out),
                // A cut connection is not a clean end, even after a finish reason.
                Err(error) => Err(ModelError::truncated(format!("the connection broke: {}", chain(&error)))),
            };
            if decoder.lesson() != lesson {
                lesson = decoder.lesson();
                lesson.into_iter().for_each(|begins| manners.began(begins));
            }
            let over = decoder.is_over() || result.is_err();
            first.pass(&mut out, Instant::now());
            if over {
                first.release(&mut out);
            }
            let end = if over && matches!(out.last(), Some(Chunk::End(_))) { out.pop() } else { None };
            for chunk in out.drain(..) {
                yield Ok(chunk);
            }
            if let Some(end) = end {
                let _ = tokio::time::timeout(LAST_BYTES_WAIT, response.chunk()).await;
                yield Ok(end);
            } else if let Err(error) = result {
                yield Err(error);
            }
            if over {
                return;
            }
        }
    })
}

/// The response to the request, or to the same without what the server refused of it. Each refusal
/// takes out a parameter that was sent, so that there are few; what was refused did nothing, so that
/// nothing is asked for twice.
async fn taken(asking: &impl Asking, manners: &Manners) -> Result<Taken, ModelError> {
    let known = manners.refused();
    let mut without = known;
    loop {
        match accepted(asking.request(without)).await {
            Ok(response) => {
                if without != known {
                    manners.refuses(without);
                }
                return Ok(response);
            }
            // Its words may name a parameter, and mean its value.
            Err(refusal) if refusal.error.oversize.is_some() => return Err(refusal.error),
            Err(refusal) => match Parameter::refused(&refusal.body, asking.sends(without)) {
                Some(parameter) => {
                    tracing::info!(?parameter, detail = refusal.error.detail, "server refuses a parameter");
                    without = without.with(parameter);
                }
                None => return Err(refusal.error),
            },
        }
    }
}

/// What a request was answered with.
enum Taken {
    /// A body to be read as it comes.
    Stream(Response),
    /// All of it, as one JSON document.
    Whole(String),
}

/// Why a request was not taken, and the words that came with it, if they may be about the request's form.
struct Refusal {
    error: ModelError,
    body: Vec<u8>,
}

impl From<ModelError> for Refusal {
    fn from(error: ModelError) -> Self {
        Self { error, body: Vec::new() }
    }
}

/// The response, if the provider took the request.
async fn accepted(request: RequestBuilder) -> Result<Taken, Refusal> {
    let sent = request.send().await;
    let response = sent.map_err(|error| ModelError::new(ErrorCode::ModelUnavailable, chain(&error)))?;
    let status = response.status().as_u16();
    if status != 200 {
        let wait = retry_after(response.headers());
        let body = beginning(response).await;
        let error = ModelError::from_status(status, wait, &body);
        let of_form = error.code == ErrorCode::ModelBadRequest;
        return Err(Refusal { error, body: if of_form { body } else { Vec::new() } });
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/json") {
        let body = whole(response).await?;
        // Some servers explain a failure with a status of success, outside the event stream.
        if says_error(&body) {
            let error = ModelError::in_band(body.as_bytes());
            return Err(Refusal { error, body: body.into() });
        }
        return Ok(Taken::Whole(body));
    }
    Ok(Taken::Stream(response))
}

/// Whether a document tells an error where an answer would stand.
fn says_error(body: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Answer<'a> {
        #[serde(borrow, default)]
        error: Option<&'a serde_json::value::RawValue>,
    }
    let answer = serde_json::from_str::<Answer<'_>>(body);
    answer.map_or_else(|_| body.contains("\"error\""), |answer| says(answer.error))
}

/// The first bytes of a body, as many as come soon.
async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(bytes)) = response.chunk().await {
            let room = ERROR_BODY_BYTES_MAX - body.len();
            body.extend_from_slice(bytes.get(..room).unwrap_or(&bytes));
            if body.len() >= ERROR_BODY_BYTES_MAX {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(ERROR_BODY_WAIT, read).await;
    body
}

/// When the provider wants to be asked again. A date is measured against the response's own
/// `Date`, so that our clock does not matter.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(|millis| millis.parse::<u64>().ok()) {
        return Some(Duration::from_millis(millis));
    }
    let wait = text(RETRY_AFTER.as_str())?;
    if let Ok(seconds) = wait.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok();
    let seconds = date(wait)?.as_second() - date(text(DATE.as_str())?)?.as_second();
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_milliseconds_or_a_date() {
        type Row<'a> = (&'a [(&'static str, &'a str)], Option<u64>);
        let rows: &[Row<'_>] = &[
            (&[("retry-after", "2")], Some(2_000)),
            (&[("retry-after-ms", "150"), ("retry-after", "2")], Some(150)),
            (
                &[("retry-after", "Sun, 06 Nov 1994 08:49:40 GMT"), ("date", "Sun, 06 Nov 1994 08:49:37 GMT")],
                Some(3_000),
            ),
            (&[("retry-after", "Sun, 06 Nov 1994 08:49:40 GMT"), ("date", "Sun, 06 Nov 1994 09:49:37 GMT")], Some(0)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:49:40 GMT")], None),
            (&[("retry-after", "soon")], None),
            (&[], None),
        ];
        for (given, wait) in rows {
            let headers = given.iter().map(|(name, value)| {
                (reqwest::header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
            });
            assert_eq!(retry_after(&headers.collect()).map(|wait| wait.as_millis()), wait.map(u128::from), "{given:?}");
        }
    }
}
