//! Which file a path leads to: re-exports are followed to where the item is defined.

use crate::modules::{Crate, Import};

/// What a path names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    Module(usize),
    /// An item that this module defines, or something within one.
    Item(usize),
}

impl Crate {
    /// What `path` means in a module's code; none for what other crates define.
    pub fn resolve(&self, from: usize, path: &[String]) -> Option<Target> {
        self.walk(from, path, &mut Vec::new())
    }

    /// Whether `module` is `ancestor` or lies below it.
    pub fn is_within(&self, module: usize, ancestor: usize) -> bool {
        module == ancestor || self.modules[module].parent.is_some_and(|parent| self.is_within(parent, ancestor))
    }

    /// `open` holds the imports that are being followed: two that name each other lead nowhere.
    fn walk<'a>(&'a self, from: usize, path: &[String], open: &mut Vec<&'a Import>) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let mut here = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(from),
            "super" => Target::Module(self.modules[from].parent?),
            name => self.look_up(from, name, rest.is_empty(), open)?,
        };
        for (index, name) in rest.iter().enumerate() {
            let Target::Module(module) = here else { break };
            here = match name.as_str() {
                "self" => here,
                "super" => Target::Module(self.modules[module].parent?),
                // A name that is spelled out but defined nowhere comes from a macro of that module.
                name => self.look_up(module, name, index + 1 == rest.len(), open).unwrap_or(Target::Item(module)),
            };
        }
        Some(here)
    }

    /// A name in a module's scope. Only the last name of a path can be a function; before it, modules come first.
    fn look_up<'a>(&'a self, module: usize, name: &str, last: bool, open: &mut Vec<&'a Import>) -> Option<Target> {
        let scope = &self.modules[module];
        let child = scope.children.get(name).map(|child| Target::Module(*child));
        if !last && child.is_some() {
            return child;
        }
        if scope.items.contains(name) {
            return Some(Target::Item(module));
        }
        let named = scope.imports.iter().filter(|import| import.name.as_deref() == Some(name));
        for import in named {
            let found = self.follow(import, open, |this, open| this.walk(module, &import.path, open));
            if found.is_some() {
                return found;
            }
        }
        if child.is_some() {
            return child;
        }
        for import in scope.imports.iter().filter(|import| import.name.is_none()) {
            let found = self.follow(import, open, |this, open| match this.walk(module, &import.path, open)? {
                Target::Module(below) => this.look_up(below, name, last, open),
                // The variants of an enum lie where it does.
                Target::Item(_) => None,
            });
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// What `find` gives while `import` is being followed; nothing if it is already.
    fn follow<'a>(
        &'a self,
        import: &'a Import,
        open: &mut Vec<&'a Import>,
        find: impl FnOnce(&'a Self, &mut Vec<&'a Import>) -> Option<Target>,
    ) -> Option<Target> {
        if open.iter().any(|known| std::ptr::eq(*known, import)) {
            return None;
        }
        open.push(import);
        let found = find(self, open);
        open.pop();
        found
    }
}
