//! JSON as a list of paths and values: for objects whose members are not known
//! beforehand, such as the claims of a JWT. Much less code than a map of values.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The strings, whole numbers and booleans of a JSON value, each with its path:
/// `kubernetes.io/serviceaccount/uid`. Items of an array have the path of the array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlatJson(Vec<(String, String)>);

impl FlatJson {
    /// The first value at a path.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.iter().find(|(at, _)| *at == path).map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, value)| (path.as_str(), value.as_str()))
    }

    /// The same with another value.
    #[cfg(test)]
    pub fn with(mut self, path: &str, value: &str) -> Self {
        self.0.retain(|(at, _)| at != path);
        self.0.push((path.to_owned(), value.to_owned()));
        self
    }
}

impl<'de> Deserialize<'de> for FlatJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut list = Vec::new();
        Below { path: "", list: &mut list }.deserialize(deserializer)?;
        Ok(Self(list))
    }
}

struct Below<'a> {
    path: &'a str,
    list: &'a mut Vec<(String, String)>,
}

impl Below<'_> {
    fn is<E>(self, value: impl ToString) -> Result<(), E> {
        self.list.push((self.path.to_owned(), value.to_string()));
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Below<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Below<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.is(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.is(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.is(value)
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.is(value)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key::<String>()? {
            let path = if self.path.is_empty() { key } else { format!("{}/{key}", self.path) };
            members.next_value_seed(Below { path: &path, list: self.list })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Below { path: self.path, list: self.list })?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_their_paths() {
        let flat: FlatJson = serde_json::from_str(
            r#"{"a":"x","b":{"c":{"d":1,"e":-2}},"f":["y",{"g":true}],"h":null,"i":0.5,"a/b":"z"}"#,
        )
        .unwrap();
        let all: Vec<_> = flat.iter().collect();
        let expected = [("a", "x"), ("b/c/d", "1"), ("b/c/e", "-2"), ("f", "y"), ("f/g", "true"), ("a/b", "z")];
        assert_eq!(all, expected);
        assert_eq!((flat.get("f"), flat.get("b")), (Some("y"), None));
        let deep = "[".repeat(1_000_000);
        assert!(serde_json::from_str::<FlatJson>(&deep).is_err());
    }
}
