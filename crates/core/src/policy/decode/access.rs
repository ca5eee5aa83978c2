//! Deserializers for lists, mappings and variants.

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
    value::StrDeserializer,
};

use crate::policy::{
    decode::{Context, Fault, Reader},
    problem::quote,
    yaml::{Entry, Kind, Node},
};

/// The elements of a list.
pub(super) struct Items<'a> {
    pub(super) left: std::slice::Iter<'a, Node>,
    pub(super) context: &'a Context<'a>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let context = self.context;
        let Some(node) = self.left.find(|node| !context.skip.contains(&node.id)) else { return Ok(None) };
        seed.deserialize(Reader { node, context }).map(Some).map_err(|fault| fault.at(node))
    }
}

/// The entries of a mapping that are read.
pub(super) struct Entries<'a> {
    pub(super) left: std::vec::IntoIter<&'a Entry>,
    pub(super) value: Option<&'a Node>,
    /// True if entries were left out because of a mistake in them.
    pub(super) holes: bool,
    pub(super) context: &'a Context<'a>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some(entry) = self.left.next() else { return Ok(None) };
        self.value = Some(&entry.value);
        // A key is read as a scalar node of its own, so that its type can have known values.
        let kind = Kind::Scalar { text: entry.key.clone(), plain: false };
        let key = Node { id: entry.value.id, mark: entry.mark, kind };
        seed.deserialize(KeyReader { key, context: self.context }).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some(node) = self.value.take() else { return Err(Fault::new("a value without its key")) };
        seed.deserialize(Reader { node, context: self.context }).map_err(|fault| fault.at(node))
    }
}

/// Reads the key of a mapping.
struct KeyReader<'a> {
    key: Node,
    context: &'a Context<'a>,
}

impl<'de> Deserializer<'de> for KeyReader<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Kind::Scalar { text, .. } = &self.key.kind else { return Err(Fault::new("a key must be a word")) };
        visitor.visit_str(text).map_err(|fault: Fault| fault.at(&self.key))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        let (id, mark) = (self.key.id, self.key.mark);
        visitor.visit_newtype_struct(self).map_err(|fault| Fault { place: fault.place.or(Some((id, mark))), ..fault })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        // The visitor may not borrow from this short-lived node, so it gets an owned value.
        let Kind::Scalar { text, .. } = &self.key.kind else { return Err(Fault::new("a key must be a word")) };
        if variants.contains(&text.as_str()) {
            let word: StrDeserializer<'_, Fault> = text.as_str().into_deserializer();
            return word.deserialize_enum(name, variants, visitor);
        }
        let reader = Reader { node: &self.key, context: self.context };
        Err(reader.deserialize_enum(name, variants, de::IgnoredAny).err().unwrap_or_else(|| Fault::new("unknown key")))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// A variant: a bare word, or a mapping with one key.
pub(super) struct Choice<'a> {
    pub(super) name: &'a str,
    pub(super) value: Option<&'a Node>,
    pub(super) reader: Reader<'a>,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let name: StrDeserializer<'_, Fault> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.value {
            None => Ok(()),
            Some(value) => Err(Fault::new(format!("{} takes no settings", quote(self.name))).at(value)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        let context = self.reader.context;
        match self.value {
            Some(node) => seed.deserialize(Reader { node, context }).map_err(|fault| fault.at(node)),
            None => seed.deserialize(Bare(self.reader)).map_err(|fault| fault.at(self.reader.node)),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(Fault::new("no value of a policy file is a tuple").at(self.reader.node))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Some(node) => Reader { node, context: self.reader.context }.deserialize_struct("", fields, visitor),
            None => self.reader.fields(&[], fields, visitor),
        }
    }
}

/// A variant written as a bare word. It means the same as an empty mapping after the word.
struct Bare<'a>(Reader<'a>);

impl<'de> Deserializer<'de> for Bare<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fault> {
        let Kind::Scalar { text, .. } = &self.0.node.kind else { return Err(self.0.mismatch("a word")) };
        Err(Fault::new(format!("{} needs a value", quote(text))).at(self.0.node))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let result = self.0.fields(&[], fields, visitor);
        let Kind::Scalar { text, .. } = &self.0.node.kind else { return result };
        result.map_err(|fault| Fault { message: format!("{} needs settings: {}", quote(text), fault.message), ..fault })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        seq tuple tuple_struct map enum identifier ignored_any
    }
}
