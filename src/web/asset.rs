//! The style sheet, the script and the icon: served at paths that name their contents, so that a
//! browser may keep them for ever.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use sha2::{Digest as _, Sha256};

/// A file that the pages link to.
struct Asset {
    path: String,
    kind: &'static str,
    text: &'static str,
}

impl Asset {
    fn new(extension: &str, kind: &'static str, text: &'static str) -> Self {
        let hash = hex::encode(&Sha256::digest(text)[..8]);
        Self { path: format!("{PREFIX}{hash}.{extension}"), kind, text }
    }
}

/// Where the files are.
const PREFIX: &str = "/assets/";

static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("css", "text/css; charset=utf-8", include_str!("asset/page.css")));
static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("js", "text/javascript; charset=utf-8", include_str!("asset/page.js")));
static ICON: LazyLock<Asset> = LazyLock::new(|| Asset::new("svg", "image/svg+xml", include_str!("asset/icon.svg")));

/// Returns the path of the style sheet.
pub(super) fn style() -> &'static str {
    &STYLE.path
}

/// Returns the path of the script.
pub(super) fn script() -> &'static str {
    &SCRIPT.path
}

/// Returns the path of the icon.
pub(super) fn icon() -> &'static str {
    &ICON.path
}

/// Serves a file.
pub(super) async fn serve(Path(name): Path<String>) -> Response {
    let known = [&*STYLE, &*SCRIPT, &*ICON];
    match known.into_iter().find(|asset| asset.path.strip_prefix(PREFIX) == Some(name.as_str())) {
        Some(asset) => (
            [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")],
            asset.text,
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
