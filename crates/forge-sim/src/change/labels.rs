//! Labels of a repository, and on its items.

use serde_json::{Map, Value, json};

use super::super::{
    SimError,
    model::{Label, LabelChange},
    shape,
    state::State,
};

/// Colour that GitHub gives a label that was created by adding it to an item.
const DEFAULT_COLOR: &str = "ededed";

impl State {
    /// Creates a label. Returns `Refused` if one with that name exists.
    pub(crate) fn create_label(
        &mut self,
        repo: u64,
        by: &str,
        name: &str,
        color: Option<&str>,
        description: Option<&str>,
    ) -> Result<(), SimError> {
        let id = self.id();
        let key = name.to_lowercase();
        let place = self.repo_mut(repo)?;
        if place.labels.contains_key(&key) {
            return Err(SimError::Refused("already_exists".to_owned()));
        }
        let color = color.unwrap_or(DEFAULT_COLOR).to_ascii_lowercase();
        place.labels.insert(
            key.clone(),
            Label { id, name: name.to_owned(), color, description: description.map(str::to_owned) },
        );
        self.emit_label(repo, &key, "created", by, Value::Null);
        Ok(())
    }

    /// Changes a label. Items keep it under its new name.
    pub(crate) fn edit_label(
        &mut self,
        repo: u64,
        by: &str,
        name: &str,
        new_name: Option<&str>,
        color: Option<&str>,
        description: Option<&str>,
    ) -> Result<String, SimError> {
        let key = name.to_lowercase();
        let place = self.repo_mut(repo)?;
        let mut label = place.labels.get(&key).cloned().ok_or_else(|| SimError::NoSuch(format!("label {name}")))?;
        let mut changes = Map::new();
        if let Some(new) = new_name.filter(|n| *n != label.name) {
            changes.insert("name".into(), json!({ "from": label.name }));
            new.clone_into(&mut label.name);
        }
        if let Some(new) = color.filter(|c| *c != label.color) {
            changes.insert("color".into(), json!({ "from": label.color }));
            new.clone_into(&mut label.color);
        }
        if let Some(new) = description {
            changes.insert("description".into(), json!({ "from": label.description.as_deref().unwrap_or("") }));
            label.description = Some(new.to_owned());
        }
        let new_key = label.name.to_lowercase();
        if new_key != key && place.labels.contains_key(&new_key) {
            return Err(SimError::Refused("already_exists".to_owned()));
        }
        place.labels.remove(&key);
        place.labels.insert(new_key.clone(), label);
        for on in place.items.values_mut().flat_map(|i| i.labels.iter_mut()).filter(|l| **l == key) {
            on.clone_from(&new_key);
        }
        self.emit_label(repo, &new_key, "edited", by, json!({ "changes": changes }));
        Ok(new_key)
    }

    /// Deletes a label. It is removed from every item without a webhook for each.
    pub(crate) fn delete_label(&mut self, repo: u64, by: &str, name: &str) -> Result<(), SimError> {
        let key = name.to_lowercase();
        let now = self.now();
        let label =
            self.repo(repo)?.labels.get(&key).cloned().ok_or_else(|| SimError::NoSuch(format!("label {name}")))?;
        let place = self.repo_mut(repo)?;
        for item in place.items.values_mut().filter(|i| i.labels.contains(&key)) {
            item.labels.retain(|l| *l != key);
            item.history.push(LabelChange { at: now, label: label.name.clone(), added: false, by: by.to_owned() });
        }
        self.emit_label(repo, &key, "deleted", by, Value::Null);
        self.repo_mut(repo)?.labels.remove(&key);
        Ok(())
    }

    /// Adds labels to an item and creates missing ones; returns those that the item did not have.
    pub(super) fn attach_labels(
        &mut self,
        repo: u64,
        number: u64,
        by: &str,
        names: &[String],
    ) -> Result<Vec<String>, SimError> {
        self.item(repo, number)?;
        let now = self.now();
        let mut added = Vec::new();
        for name in names {
            let key = name.to_lowercase();
            if !self.repo(repo)?.labels.contains_key(&key) {
                self.create_label(repo, by, name, None, None)?;
            }
            let shown = self.repo(repo)?.labels.get(&key).map_or_else(|| name.clone(), |l| l.name.clone());
            let item = self.item_mut(repo, number)?;
            if !item.labels.contains(&key) {
                item.labels.push(key.clone());
                item.updated_at = now;
                item.history.push(LabelChange { at: now, label: shown, added: true, by: by.to_owned() });
                added.push(key);
            }
        }
        Ok(added)
    }

    /// Sends the webhooks for added labels.
    pub(super) fn emit_labeled(&mut self, repo: u64, number: u64, by: &str, added: &[String]) {
        for key in added {
            let Ok(place) = self.repo(repo) else { return };
            let Some(label) = place.labels.get(key).map(|l| shape::label(self, place, l)) else { continue };
            self.emit_item(repo, number, "labeled", by, json!({ "label": label }));
        }
    }

    /// Adds labels to an item.
    pub(crate) fn add_labels(&mut self, repo: u64, number: u64, by: &str, names: &[String]) -> Result<(), SimError> {
        let added = self.attach_labels(repo, number, by, names)?;
        self.emit_labeled(repo, number, by, &added);
        Ok(())
    }

    /// Removes a label from an item. Returns `NoSuch` if the item does not have it.
    pub(crate) fn remove_label(&mut self, repo: u64, number: u64, by: &str, name: &str) -> Result<(), SimError> {
        let key = name.to_lowercase();
        let now = self.now();
        let place = self.repo(repo)?;
        let missing = || SimError::NoSuch(format!("label {name}"));
        let label = place.labels.get(&key).ok_or_else(missing)?;
        let (name, shown) = (label.name.clone(), shape::label(self, place, label));
        let item = self.item_mut(repo, number)?;
        let before = item.labels.len();
        item.labels.retain(|l| *l != key);
        if item.labels.len() == before {
            return Err(missing());
        }
        item.updated_at = now;
        item.history.push(LabelChange { at: now, label: name, added: false, by: by.to_owned() });
        self.emit_item(repo, number, "unlabeled", by, json!({ "label": shown }));
        Ok(())
    }

    fn emit_label(&mut self, repo: u64, key: &str, action: &str, by: &str, more: Value) {
        let Ok(place) = self.repo(repo) else { return };
        let Some(label) = place.labels.get(key) else { return };
        let mut own = match more {
            Value::Object(own) => own,
            _ => Map::new(),
        };
        own.insert("label".into(), shape::label(self, place, label));
        self.emit(repo, "label", Some(action), by, Value::Object(own));
    }
}
