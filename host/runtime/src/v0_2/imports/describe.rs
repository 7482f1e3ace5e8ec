//! What a source says of itself.

use wasmtime::component::Resource;

use super::super::bindings::describe as wit;
use crate::state::State;
use crate::types::{OptionSchema, OptionType};

/// The description in the making, as a component holds it.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct DescriptionHandle;

/// The options of the description.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct SchemaHandle;

/// An option, by its number.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct OptionSchemaHandle(usize);

type Description = Resource<DescriptionHandle>;
type Schema = Resource<SchemaHandle>;
type OptionHandle = Resource<OptionSchemaHandle>;

impl State {
    fn add_option(
        &mut self,
        option_type: OptionType,
        name: String,
        documentation: String,
    ) -> wasmtime::Result<OptionHandle> {
        self.collected.charge(&[&name, &documentation])?;
        let number = self.collected.add_option(OptionSchema {
            name,
            option_type,
            required: false,
            default: None,
            sensitive: false,
            documentation,
        });
        Ok(self.table.push(OptionSchemaHandle(number))?)
    }

    /// The option that a handle stands for.
    fn option_schema(&mut self, option: &OptionHandle) -> wasmtime::Result<&mut OptionSchema> {
        let number = self.table.get(option)?.0;
        self.collected.option_schema(number)
    }
}

impl wit::Host for State {}

impl wit::HostDescription for State {
    async fn summary(&mut self, _description: Description, text: String) -> wasmtime::Result<()> {
        self.collected.charge(&[&text])?;
        self.collected.description().summary = text;
        Ok(())
    }

    async fn name(&mut self, _description: Description, name: String) -> wasmtime::Result<()> {
        self.collected.charge(&[&name])?;
        self.collected.description().source_type = name;
        Ok(())
    }

    async fn alias(&mut self, _description: Description, name: String) -> wasmtime::Result<()> {
        self.collected.charge(&[&name])?;
        self.collected.description().aliases.push(name);
        Ok(())
    }

    async fn options(&mut self, _description: Description) -> wasmtime::Result<Schema> {
        Ok(self.table.push(SchemaHandle)?)
    }

    async fn drop(&mut self, description: Description) -> wasmtime::Result<()> {
        self.table.delete(description)?;
        Ok(())
    }
}

impl wit::HostSchema for State {
    async fn text(
        &mut self,
        _schema: Schema,
        name: String,
        documentation: String,
    ) -> wasmtime::Result<OptionHandle> {
        self.add_option(OptionType::Text, name, documentation)
    }

    async fn integer(
        &mut self,
        _schema: Schema,
        name: String,
        documentation: String,
    ) -> wasmtime::Result<OptionHandle> {
        self.add_option(OptionType::Integer, name, documentation)
    }

    async fn boolean(
        &mut self,
        _schema: Schema,
        name: String,
        documentation: String,
    ) -> wasmtime::Result<OptionHandle> {
        self.add_option(OptionType::Boolean, name, documentation)
    }

    async fn texts(
        &mut self,
        _schema: Schema,
        name: String,
        documentation: String,
    ) -> wasmtime::Result<OptionHandle> {
        self.add_option(OptionType::TextList, name, documentation)
    }

    async fn pairs(
        &mut self,
        _schema: Schema,
        name: String,
        documentation: String,
    ) -> wasmtime::Result<OptionHandle> {
        self.add_option(OptionType::TextMap, name, documentation)
    }

    async fn drop(&mut self, schema: Schema) -> wasmtime::Result<()> {
        self.table.delete(schema)?;
        Ok(())
    }
}

impl wit::HostOptionSchema for State {
    async fn required(&mut self, option: OptionHandle) -> wasmtime::Result<()> {
        self.option_schema(&option)?.required = true;
        Ok(())
    }

    async fn default(&mut self, option: OptionHandle, text: String) -> wasmtime::Result<()> {
        self.collected.charge(&[&text])?;
        self.option_schema(&option)?.default = Some(text);
        Ok(())
    }

    async fn sensitive(&mut self, option: OptionHandle) -> wasmtime::Result<()> {
        self.option_schema(&option)?.sensitive = true;
        Ok(())
    }

    async fn drop(&mut self, option: OptionHandle) -> wasmtime::Result<()> {
        self.table.delete(option)?;
        Ok(())
    }
}
