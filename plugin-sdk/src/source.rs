//! The trait a volume source implements, and the glue that exports it from a component.

use crate::bindings::exports::lvhost::source::source::Guest;
use crate::bindings::lvhost::source::{configure, describe, prepare, types};
use crate::host::ComponentHost;
use crate::{Base, Configuration, Description, Error, Host, Options, Recipe, Volume};

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
    /// For an image that is there, perhaps compressed: hand it to [`Host::content`], and return [`Recipe::Image`].
    /// For one that the source makes: [`Host::create`] the volume, write to the [`Sink`](crate::Sink), and return
    /// [`Recipe::Image`].
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
    fn describe(description: describe::Description) {
        S::describe().tell(&description);
    }

    fn configure(configuration: configure::Configuration) {
        let volume = Volume::of_host(&configuration.volume());
        let options = Options::of_host(&configuration.options(), &S::describe());
        S::configure(&volume, &options).tell(&configuration);
    }

    fn prepare(preparation: prepare::Preparation) -> Result<(), types::Error> {
        let volume = Volume::of_host(&preparation.volume());
        let options = Options::of_host(&preparation.options(), &S::describe());
        let host = ComponentHost(preparation);
        let recipe = S::prepare(&volume, &options, &host)?;
        let ComponentHost(preparation) = host;
        match recipe {
            Recipe::Blank => preparation.blank(),
            Recipe::Overlay(Base::Volume(id)) => preparation.overlay_volume(&id.to_wit()),
            Recipe::Overlay(Base::HypervisorPath(path)) => preparation.overlay_path(&path),
            Recipe::Clone(id) => preparation.clone(&id.to_wit()),
            // It was said when it was made.
            Recipe::Image => Ok(()),
        }
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
