//! The sources, read as what they mean.

use std::{
    fs,
    path::{Path, PathBuf},
};

use quote::ToTokens;
use syn::{
    Attribute, Fields, File, Item, ItemImpl, Type,
    visit::{self, Visit},
};

/// Fields with these names hold a secret, where their type is a text or bytes.
const NAMES: [&str; 18] = [
    "access_token",
    "refresh_token",
    "id_token",
    "token",
    "secret",
    "client_secret",
    "old_secret",
    "password",
    "code",
    "authorization_code",
    "device_code",
    "code_verifier",
    "verifier",
    "assertion",
    "client_assertion",
    "private_key",
    "encryption_key",
    "pass_phrase",
];

/// Texts and bytes as they are.
const BARE: [&str; 6] = ["String", "str", "Vec < u8 >", "Bytes", "[u8", "Value"];

/// Types that keep a secret to themselves.
const GUARDED: [&str; 5] = [
    "SecretString",
    "SecretBox",
    "AccessToken",
    "RefreshToken",
    "Zeroizing",
];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

pub(crate) fn text_of(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every crate with its sources, tests left out.
pub(crate) fn crates() -> Vec<(String, Vec<(PathBuf, String)>)> {
    let mut crates = Vec::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let entry = entry.unwrap();
        let mut files = Vec::new();
        walk(&entry.path().join("src"), &mut files);
        files.retain(|file| {
            file.extension().is_some_and(|ext| ext == "rs")
                && !file.ends_with("tests.rs")
                && !within(file, "tests")
        });
        let read = |file: PathBuf| {
            let text = fs::read_to_string(&file).unwrap();
            (file, text)
        };
        let name = entry.file_name().into_string().unwrap();
        crates.push((name, files.into_iter().map(read).collect()));
    }
    crates
}

/// Whether a folder between the repository's root and `file` has this name.
fn within(file: &Path, folder: &str) -> bool {
    let below = file.strip_prefix(root()).unwrap_or(file);
    below.components().any(|part| part.as_os_str() == folder)
}

/// Every file of the repository.
pub(crate) fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    walk(&root(), &mut files);
    files
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            if !["target", ".git", "node_modules"]
                .iter()
                .any(|skip| name == *skip)
            {
                walk(&path, files);
            }
        } else if kind.is_file() {
            files.push(path);
        }
    }
}

/// A struct or an enum of the sources.
#[derive(Clone)]
pub(crate) struct Holder {
    pub(crate) name: String,
    pub(crate) public: bool,
    derives: Vec<String>,
    /// Names and types.
    fields: Vec<(String, String)>,
    /// Traits that are implemented by hand, with the body.
    traits: Vec<(String, String)>,
}

impl Holder {
    pub(crate) fn holds_a_secret(&self) -> bool {
        let guarded = |(_, kind): &(String, String)| GUARDED.iter().any(|it| kind.contains(it));
        self.fields.iter().any(guarded) || !self.bare_secrets().is_empty()
    }

    /// Secrets that are texts or bytes like any other.
    pub(crate) fn bare_secrets(&self) -> Vec<String> {
        let bare = |kind: &str| {
            BARE.iter().any(|it| kind.contains(it)) && !GUARDED.iter().any(|it| kind.contains(it))
        };
        self.fields
            .iter()
            .filter(|(name, kind)| NAMES.contains(&name.as_str()) && bare(kind))
            .map(|(name, kind)| format!("{}.{name}: {kind}", self.name))
            .collect()
    }

    pub(crate) fn derives(&self, name: &str) -> bool {
        self.derives.iter().any(|it| it == name)
    }

    pub(crate) fn implements(&self, name: &str) -> bool {
        self.body_of(name).is_some()
    }

    /// What is written in the implementation of a trait.
    pub(crate) fn body_of(&self, name: &str) -> Option<&str> {
        let mut traits = self.traits.iter();
        traits
            .find(|(it, _)| it == name)
            .map(|(_, body)| body.as_str())
    }
}

/// All types of all crates, with what is implemented for them in the same crate.
pub(crate) fn types() -> Vec<Holder> {
    let mut all = Vec::new();
    for (_, files) in crates() {
        let (mut types, mut impls) = (Vec::new(), Vec::new());
        for (file, text) in files {
            let parsed: File =
                syn::parse_file(&text).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
            collect(&parsed.items, &mut types, &mut impls);
        }
        for (of, name, body) in impls {
            for holder in types
                .iter_mut()
                .filter(|holder: &&mut Holder| holder.name == of)
            {
                holder.traits.push((name.clone(), body.clone()));
            }
        }
        all.extend(types);
    }
    all
}

fn collect(items: &[Item], types: &mut Vec<Holder>, impls: &mut Vec<(String, String, String)>) {
    for item in items {
        match item {
            Item::Struct(it) => types.push(Holder {
                name: it.ident.to_string(),
                public: matches!(it.vis, syn::Visibility::Public(_)),
                derives: derives(&it.attrs),
                fields: fields(&it.fields),
                traits: Vec::new(),
            }),
            Item::Enum(it) => types.push(Holder {
                name: it.ident.to_string(),
                public: matches!(it.vis, syn::Visibility::Public(_)),
                derives: derives(&it.attrs),
                fields: it
                    .variants
                    .iter()
                    .flat_map(|it| fields(&it.fields))
                    .collect(),
                traits: Vec::new(),
            }),
            Item::Impl(it) => impls.extend(implemented(it)),
            Item::Mod(it) if !is_test(&it.attrs) => {
                if let Some((_, items)) = &it.content {
                    collect(items, types, impls);
                }
            }
            _ => {}
        }
    }
}

fn implemented(it: &ItemImpl) -> Option<(String, String, String)> {
    let (_, path, _) = it.trait_.as_ref()?;
    let Type::Path(of) = &*it.self_ty else {
        return None;
    };
    let last = |path: &syn::Path| path.segments.last().map(|part| part.ident.to_string());
    Some((
        last(&of.path)?,
        last(path)?,
        it.to_token_stream().to_string(),
    ))
}

fn derives(attributes: &[Attribute]) -> Vec<String> {
    let derive = attributes.iter().filter(|it| it.path().is_ident("derive"));
    derive
        .flat_map(|it| {
            let text = it.meta.to_token_stream().to_string();
            let inside = text.trim_start_matches("derive").to_owned();
            let words = inside.split(|c: char| !c.is_alphanumeric());
            words.map(str::to_owned).collect::<Vec<_>>()
        })
        .filter(|word| !word.is_empty())
        .collect()
}

fn fields(fields: &Fields) -> Vec<(String, String)> {
    let named = fields.iter().map(|field| {
        let name = field.ident.as_ref().map(ToString::to_string);
        (
            name.unwrap_or_default(),
            field.ty.to_token_stream().to_string(),
        )
    });
    named.collect()
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|it| {
        it.path().is_ident("cfg") && it.meta.to_token_stream().to_string().contains("test")
    })
}

/// Each call of `unwrap` and `expect` outside of tests, by crate: the file and the call.
pub(crate) fn unwraps() -> Vec<(String, Vec<(String, String)>)> {
    let mut all = Vec::new();
    for (name, files) in crates() {
        let mut found = Vec::new();
        for (file, text) in files {
            // The cases for stores and the model of the flight fail by panicking, as tests do.
            if within(&file, "suite")
                || ["store/suite.rs", "flight/model.rs"]
                    .iter()
                    .any(|it| file.ends_with(it))
            {
                continue;
            }
            let mut calls = Calls(Vec::new());
            calls.visit_file(&syn::parse_file(&text).unwrap());
            let file = file.display().to_string();
            found.extend(calls.0.into_iter().map(|call| (file.clone(), call)));
        }
        all.push((name, found));
    }
    all
}

struct Calls(Vec<String>);

impl<'ast> Visit<'ast> for Calls {
    fn visit_item_mod(&mut self, it: &'ast syn::ItemMod) {
        if !is_test(&it.attrs) {
            visit::visit_item_mod(self, it);
        }
    }

    fn visit_item_fn(&mut self, it: &'ast syn::ItemFn) {
        if !is_test(&it.attrs) {
            visit::visit_item_fn(self, it);
        }
    }

    fn visit_expr_method_call(&mut self, it: &'ast syn::ExprMethodCall) {
        let name = it.method.to_string();
        let of_itself =
            matches!(&*it.receiver, syn::Expr::Path(path) if path.path.is_ident("self"));
        if ["unwrap", "expect", "unwrap_err", "expect_err"].contains(&name.as_str()) && !of_itself {
            self.0.push(it.to_token_stream().to_string());
        }
        visit::visit_expr_method_call(self, it);
    }
}
