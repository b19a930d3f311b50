//! What the HTTP door answers: a status and a JSON object.
//!
//! Not when: each request says so itself.
//!
//! 1. The three outcomes of a change stay apart: done; refused, or not done, with `error`; and `"outcome": "unknown"` besides.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// When to ask again where nothing was done, in seconds.
const RETRY_AFTER_SECONDS: &str = "1";

/// An answer.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    /// Whether it is worth while to ask again.
    asks_again: bool,
}

impl Answer {
    /// It is so.
    pub(crate) fn done(status: StatusCode, body: Value) -> Self {
        Self { status, body, asks_again: false }
    }

    /// It is not done, and would not be if it were asked again.
    pub(crate) fn refusal(status: StatusCode, why: &str) -> Self {
        Self { status, body: json!({ "error": why }), asks_again: false }
    }

    /// Nothing was done, and the same may be in a moment.
    pub(crate) fn not_now(why: &str) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, body: json!({ "error": why }), asks_again: true }
    }

    /// It may be done, or may be yet.
    pub(crate) fn unknown(why: &str) -> Self {
        let body = json!({ "error": why, "outcome": "unknown" });
        Self { status: StatusCode::SERVICE_UNAVAILABLE, body, asks_again: false }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let json = (self.status, [(CONTENT_TYPE, "application/json")], format!("{}\n", self.body));
        if self.asks_again {
            ([(RETRY_AFTER, RETRY_AFTER_SECONDS)], json).into_response()
        } else {
            json.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Answer;
    use axum::http::StatusCode;
    use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
    use axum::response::IntoResponse;

    #[test]
    fn outcomes_stay_apart() {
        let heads = |answer: Answer| {
            let response = answer.into_response();
            assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
            (response.status().as_u16(), response.headers().contains_key(RETRY_AFTER))
        };
        assert_eq!(heads(Answer::refusal(StatusCode::CONFLICT, "no")), (409, false));
        assert_eq!(heads(Answer::not_now("later")), (503, true));
        assert_eq!(heads(Answer::unknown("look")), (503, false));
        let body = |answer: Answer| answer.body.to_string();
        assert_eq!(body(Answer::not_now("later")), r#"{"error":"later"}"#);
        assert_eq!(body(Answer::unknown("look")), r#"{"error":"look","outcome":"unknown"}"#);
    }
}
