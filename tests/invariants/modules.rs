//! The modules of a crate as its files spell them: what each defines, imports and mentions.
//!
//! What is compiled for unit tests only is left out: a test looks at whatever it tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree, Visibility};

/// A crate: its modules, the root first.
pub struct Crate {
    pub modules: Vec<Module>,
}

/// A module in a file of its own or within another's.
pub struct Module {
    pub file: PathBuf,
    pub parent: Option<usize>,
    /// Modules below, by name.
    pub children: BTreeMap<String, usize>,
    /// Names of the items that it defines itself.
    pub items: BTreeSet<String>,
    pub imports: Vec<Import>,
    /// Paths in its code, in any position: types, calls, patterns, arguments of macros.
    pub mentions: BTreeSet<Vec<String>>,
}

/// One name of a `use`.
pub struct Import {
    pub path: Vec<String>,
    /// The name that it gets; none for `*`.
    pub name: Option<String>,
    /// Whether others can import it from here.
    pub public: bool,
}

impl Crate {
    /// Reads the crate whose root is `file`.
    pub fn read(file: &Path) -> Self {
        let mut this = Self { modules: Vec::new() };
        this.read_file(file, None, file.parent().unwrap());
        this
    }

    /// Reads a file as a module whose children lie in `folder`; gives its number.
    fn read_file(&mut self, file: &Path, parent: Option<usize>, folder: &Path) -> usize {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let index = self.add(file, parent);
        self.read_items(index, &parsed.items, folder);
        index
    }

    fn add(&mut self, file: &Path, parent: Option<usize>) -> usize {
        self.modules.push(Module {
            file: file.to_owned(),
            parent,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            imports: Vec::new(),
            mentions: BTreeSet::new(),
        });
        self.modules.len() - 1
    }

    fn read_items(&mut self, index: usize, items: &[Item], folder: &Path) {
        for item in items.iter().filter(|item| !attributes(item).iter().any(is_for_tests)) {
            if let Item::Mod(module) = item {
                let name = module.ident.unraw().to_string();
                let child = if let Some((_, items)) = &module.content {
                    // One name may stand for a module per system.
                    let known = self.modules[index].children.get(&name).copied();
                    let file = self.modules[index].file.clone();
                    let child = known.unwrap_or_else(|| self.add(&file, Some(index)));
                    self.read_items(child, items, &folder.join(&name));
                    child
                } else {
                    let (file, below) = self.file_of(index, &name, &module.attrs, folder);
                    self.read_file(&file, Some(index), &below)
                };
                self.modules[index].children.insert(name, child);
            } else {
                let module = &mut self.modules[index];
                module.items.extend(names(item));
                Reader(module).visit_item(item);
            }
        }
    }

    /// The file of `mod name;` and the folder of that module's own children.
    fn file_of(&self, parent: usize, name: &str, attributes: &[Attribute], folder: &Path) -> (PathBuf, PathBuf) {
        if let Some(path) = attributes.iter().find_map(path_attribute) {
            let file = self.modules[parent].file.with_file_name("").join(path);
            let below = file.parent().unwrap().to_owned();
            return (file, below);
        }
        let below = folder.join(name);
        let beside = folder.join(format!("{name}.rs"));
        (if beside.is_file() { beside } else { below.join("mod.rs") }, below)
    }
}

/// Collects what a module's code imports and mentions.
struct Reader<'a>(&'a mut Module);

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() && !item.attrs.iter().any(is_for_tests) {
            let public = !matches!(item.vis, Visibility::Inherited);
            flatten(&item.tree, &mut Vec::new(), public, &mut self.0.imports);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.0.mentions.insert(path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.visit_path(&invocation.path);
        // What a macro's definition mentions is resolved where it is used, but for what it says of the crate.
        let definition = invocation.path.is_ident("macro_rules");
        let mut paths = BTreeSet::new();
        scan(&invocation.tokens, &mut paths);
        self.0.mentions.extend(paths.into_iter().filter(|path| !definition || path[0] == "crate"));
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        // An error's words may call what another file defines; other words in attributes are the attribute's own.
        if let syn::Meta::List(list) = &attribute.meta {
            let mut paths = BTreeSet::new();
            scan(&list.tokens, &mut paths);
            self.0.mentions.extend(paths.into_iter().filter(|path| ["crate", "super"].contains(&path[0].as_str())));
        }
    }
}

/// The paths in the arguments of a macro. A field or a method's name after a dot is none.
fn scan(tokens: &TokenStream, paths: &mut BTreeSet<Vec<String>>) {
    let mut path = Vec::new();
    // How many colons stand since the last name; a dot makes what follows a member.
    let (mut colons, mut member) = (0, false);
    for token in tokens.clone() {
        match token {
            TokenTree::Ident(ident) => {
                if colons != 2 {
                    paths.extend((!path.is_empty()).then(|| std::mem::take(&mut path)));
                }
                if !(member && path.is_empty()) {
                    path.push(ident.unraw().to_string());
                }
                (colons, member) = (0, false);
            }
            TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
            other => {
                paths.extend((!path.is_empty()).then(|| std::mem::take(&mut path)));
                member = matches!(&other, TokenTree::Punct(mark) if mark.as_char() == '.');
                colons = 0;
                if let TokenTree::Group(group) = other {
                    scan(&group.stream(), paths);
                }
            }
        }
    }
    paths.extend((!path.is_empty()).then_some(path));
}

fn flatten(tree: &UseTree, path: &mut Vec<String>, public: bool, imports: &mut Vec<Import>) {
    let end = |path: &[String], last: &str, name: &str| {
        // `use a::{self}` imports `a`.
        let path = path.iter().cloned().chain((last != "self" || path.is_empty()).then(|| last.to_owned())).collect();
        Import { path, name: Some(name.to_owned()), public }
    };
    match tree {
        UseTree::Path(step) => {
            path.push(step.ident.unraw().to_string());
            flatten(&step.tree, path, public, imports);
            path.pop();
        }
        UseTree::Name(last) => {
            let last = last.ident.unraw().to_string();
            let name = if last == "self" { path.last().cloned().unwrap_or_default() } else { last.clone() };
            imports.push(end(path, &last, &name));
        }
        UseTree::Rename(last) => {
            imports.push(end(path, &last.ident.unraw().to_string(), &last.rename.unraw().to_string()));
        }
        UseTree::Glob(_) => imports.push(Import { path: path.clone(), name: None, public }),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, path, public, imports)),
    }
}

/// The names that an item brings into its module.
fn names(item: &Item) -> Vec<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Macro(item) => return item.ident.iter().map(ToString::to_string).collect(),
        Item::ForeignMod(block) => {
            let name = |item: &syn::ForeignItem| match item {
                syn::ForeignItem::Fn(item) => Some(item.sig.ident.to_string()),
                syn::ForeignItem::Static(item) => Some(item.ident.to_string()),
                _ => None,
            };
            return block.items.iter().filter_map(name).collect();
        }
        _ => return Vec::new(),
    };
    vec![ident.unraw().to_string()]
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether something is compiled for tests only.
pub fn is_for_tests(attribute: &Attribute) -> bool {
    let mut words = BTreeSet::new();
    if let syn::Meta::List(list) = &attribute.meta
        && list.path.is_ident("cfg")
    {
        scan(&list.tokens, &mut words);
    }
    let says = |word: &str| words.contains(&vec![word.to_owned()]);
    says("test") && !says("not") && !says("any")
}

/// The value of `#[path = "…"]`.
fn path_attribute(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}
