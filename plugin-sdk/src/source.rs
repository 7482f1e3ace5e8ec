//! The trait a volume source implements, and the glue that exports it from a component.

use crate::bindings::exports::lvhost::source::source::Guest;
use crate::host::ComponentHost;
use crate::{Configuration, Description, Error, Host, OptionSetting, Options, Recipe, Volume};

/// A kind of source that volumes can come from.
///
/// A user picks it by its type in a `source` block of a volume, and sets its options there:
///
/// ```hcl
/// volume {
///   device = "cdrom"
///   source {
///     type = "motd"
///     text = "hello"
///   }
/// }
/// ```
///
/// lvhost calls the three functions in this order, each in an instance of its own, so nothing can
/// be kept in between:
///
/// 1. [`describe`](Self::describe) when it loads the component;
/// 2. [`configure`](Self::configure) for each volume when it validates a template. Nothing can be
///    reached from there;
/// 3. [`prepare`](Self::prepare) for each volume in the build, with what
///    [`configure`](Self::configure) asked for and the user allows. Volumes are prepared in
///    parallel.
///
/// What a component may take in memory and time is limited; the user can change the limits.
/// What it writes to standard output and error goes to lvhost's log.
pub trait VolumeSource {
    /// Says what users call the source and which options it has. Must always answer the same.
    ///
    /// lvhost checks the user's options against this: names, types, and that the required ones are
    /// there. The other two functions are not called before these are right.
    fn describe() -> Description;

    /// Checks the *values* of the user's options, fills in what the volume should be where the user
    /// left it open, and lists what [`prepare`](Self::prepare) will need to reach.
    ///
    /// Report everything that is wrong at once. If there is an error among the diagnostics there
    /// will be no build.
    ///
    /// The default has nothing to say and needs nothing.
    fn configure(volume: &Volume, options: &Options) -> Configuration {
        let _ = (volume, options);
        Configuration::default()
    }

    /// Makes the volume, or says how the hypervisor is to make it.
    ///
    /// For an image made or passed on by the source: [`Host::create`] the volume, write to the
    /// [`Sink`](crate::Sink), return [`Recipe::Image`].
    ///
    /// # Errors
    /// Pass on what a function of the `host` returns as it is: its text is written for the user
    /// and names the thing. For errors of your own see the constructors of [`Error`]. The build
    /// ends, and lvhost removes the volume.
    fn prepare(volume: &Volume, options: &Options, host: &dyn Host) -> Result<Recipe, Error>;
}

/// Puts a [`VolumeSource`] behind the exports of the contract. Made by
/// [`export_source!`](crate::export_source).
#[doc(hidden)]
pub struct Component<S>(std::marker::PhantomData<S>);

impl<S: VolumeSource> Guest for Component<S> {
    fn describe() -> Description {
        S::describe()
    }

    fn configure(volume: Volume, options: Vec<OptionSetting>) -> Configuration {
        S::configure(&volume, &Options::new(options))
    }

    fn prepare(volume: Volume, options: Vec<OptionSetting>) -> Result<Recipe, Error> {
        S::prepare(&volume, &Options::new(options), &ComponentHost)
    }
}

/// Makes a type that implements [`VolumeSource`] what the component exports. Goes once into the
/// crate of a component, which must be a `cdylib`; it has no effect on other targets than WASM.
#[macro_export]
macro_rules! export_source {
    ($source:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = $crate::__component::Component<$source>;
    $crate::__component::export_bindings!(Exported with_types_in $crate::__component);
        };
    };
}
