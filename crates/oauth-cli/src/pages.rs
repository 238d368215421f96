//! What a person sees in the browser after a login. No page says anything that the request said.

/// A page: its status, its title, what it says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) status: u16,
    title: &'static str,
    text: &'static str,
}

pub(crate) const SUCCESS: Page = Page {
    status: 200,
    title: "Back to the terminal",
    text: "Access was allowed, and the answer has arrived. The terminal says whether you are signed in. \
           You can close this page.",
};

pub(crate) const DENIED: Page = Page {
    status: 200,
    title: "Not signed in",
    text: "Access was not allowed. Nothing was stored. You can close this page.",
};

pub(crate) const FAILED: Page = Page {
    status: 200,
    title: "The login failed",
    text: "The server answered with an error. Nothing was stored; the terminal says why. \
           You can close this page.",
};

pub(crate) const NOT_USED: Page = Page {
    status: 400,
    title: "This answer was not used",
    text: "It belongs to another login, or not all of it has arrived. \
           Go back to the terminal and open the address that is shown there.",
};

pub(crate) const NOT_FOUND: Page = Page {
    status: 404,
    title: "Nothing here",
    text: "This address only waits for the answer of a login.",
};

impl Page {
    pub(crate) fn html(&self) -> String {
        let Self { title, text, .. } = self;
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>\
             body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem}}\
             @media(prefers-color-scheme:dark){{body{{background:#111;color:#eee}}}}\
             </style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{text}</p>\n</main>\n</body>\n</html>\n"
        )
    }
}
