//! The pages, the widget and the client that a node serves: packed and compressed when it is built,
//! and kept by browsers under names that contain a hash of the content.

mod answer;
#[cfg(any(debug_assertions, test))]
mod pack;
mod site;
#[cfg(debug_assertions)]
mod sources;

use actix_web::HttpRequest;
use actix_web::web::{self, ServiceConfig};

/// Addresses that are promised, and the files behind them. Every file is also at `/web/` and its path.
const NAMED: &[(&str, &str)] = &[
    ("/", "chat/index.html"),
    ("/studio", "studio/index.html"),
    ("/tertulia.d.ts", "tertulia.d.ts"),
    ("/widget.js", "widget.js"),
];

/// Mounts the pages and their files.
pub(crate) fn configure(app: &mut ServiceConfig) {
    for (address, file) in NAMED {
        app.route(address, web::get().to(move |request: HttpRequest| std::future::ready(answer::file(&request, file))));
    }
    // Whoever types a slash too much means the page.
    app.service(web::redirect("/studio/", "/studio"));
    // A redirect, because the client's own modules lie beside the file.
    app.service(web::redirect("/tertulia.js", "/web/tertulia.js"));
    app.route(
        "/web/{file:.*}",
        web::get()
            .to(|request: HttpRequest, file: web::Path<String>| std::future::ready(answer::file(&request, &file))),
    );
}

#[cfg(test)]
mod tests;
