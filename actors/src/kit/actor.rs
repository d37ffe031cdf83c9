//! An actor as a value with methods, and the address one sends to.

use std::error::Error;
use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, ActorStatus, MessagingErr, SupervisionEvent};
use tokio::task::{AbortHandle, JoinHandle};

/// Why an actor dies on purpose. A refusal is never one: refusals are values in a reply.
pub(crate) type Death = Box<dyn Error + Send + Sync>;

/// What ractor gives as the reason of an actor that was killed while it waited for a message.
const KILLED: &str = "killed";

/// Which child ended.
pub(crate) type ChildId = ActorId;

/// How a child ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It was drained or stopped.
    Left,
    /// It panicked, returned a [`Death`] or was killed.
    Crashed(String),
}

/// What an actor does. Its value is its state; it is handed one message at a time.
pub(crate) trait Behaviour: Send + Sized + 'static {
    /// What it is sent.
    type Message: Send + 'static;

    /// Called once, in the actor's own task, before the first message.
    fn started(&mut self, _me: &Address<Self::Message>) -> impl Future<Output = Result<(), Death>> + Send {
        async { Ok(()) }
    }

    /// Handles one message. An `Err` kills the actor and whatever waits in its mailbox.
    fn handle(
        &mut self,
        me: &Address<Self::Message>,
        message: Self::Message,
    ) -> impl Future<Output = Result<(), Death>> + Send;

    /// A child ended. Nothing happens by itself.
    fn child_ended(
        &mut self,
        _me: &Address<Self::Message>,
        _child: ChildId,
        _how: Ended,
    ) -> impl Future<Output = Result<(), Death>> + Send {
        async { Ok(()) }
    }

    /// Called after the last message of a drained actor; its children still live. Not called after a crash.
    fn stopping(&mut self, _me: &Address<Self::Message>) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Where an actor is reached.
pub(crate) struct Address<M>(ActorRef<M>);

impl<M> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Send + 'static> Address<M> {
    /// Puts `message` into the mailbox.
    ///
    /// # Errors
    /// Gives the message back when the actor no longer takes any: it was certainly not accepted.
    pub(crate) fn send(&self, message: M) -> Result<(), M> {
        match self.0.send_message(message) {
            Ok(()) => Ok(()),
            Err(MessagingErr::SendErr(message)) => Err(message),
            // Not possible through a typed address. The message is gone: who waits for a reply sees it dropped.
            Err(error) => {
                tracing::error!(?error, "actor message lost");
                Ok(())
            }
        }
    }

    /// A message one can afford to lose: nobody waits for it.
    pub(crate) fn cast(&self, message: M) {
        if self.send(message).is_err() {
            tracing::trace!(actor = ?self.0, "cast to an actor that has gone");
        }
    }

    /// Casts `message()` every `period` until the timer is dropped.
    pub(crate) fn every(&self, period: Duration, message: impl Fn() -> M + Send + 'static) -> Timer {
        Timer(self.0.send_interval(period, message).abort_handle())
    }

    /// Casts `message` once after `delay` unless the timer is dropped before.
    pub(crate) fn after(&self, delay: Duration, message: M) -> Timer {
        Timer(self.0.send_after(delay, move || message).abort_handle())
    }

    /// Lets the actor work off its mailbox and leave. What is sent from now on comes back.
    pub(crate) fn drain(&self) {
        self.lifeline().drain();
    }

    /// Whether the actor still takes messages.
    pub(crate) fn is_open(&self) -> bool {
        self.0.get_status() < ActorStatus::Draining
    }

    /// Drains every child and waits for them, at most for `limit`; who has not left by then is cut off.
    pub(crate) async fn drain_children(&self, limit: Duration) {
        self.0.drain_children_and_wait(Some(limit)).await;
        self.0.get_children().iter().for_each(cut_off);
    }

    /// Who the actor is, as its supervisor hears of it.
    pub(crate) fn id(&self) -> ChildId {
        self.0.get_id()
    }

    /// The actor's life, whatever it is sent.
    pub(crate) fn lifeline(&self) -> Lifeline {
        Lifeline(self.0.get_cell())
    }
}

/// An actor's life: for those who stop it without speaking to it.
pub(crate) struct Lifeline(ActorCell);

impl Lifeline {
    /// Who the actor is.
    pub(crate) fn id(&self) -> ChildId {
        self.0.get_id()
    }

    /// Lets the actor work off its mailbox and leave.
    pub(crate) fn drain(&self) {
        if self.0.drain().is_err() {
            tracing::trace!(actor = ?self.0, "drain of an actor that has gone");
        }
    }

    /// Waits until the actor has left; after `limit` it is cut off with everything below it. Whether it left by itself.
    pub(crate) async fn gone(&self, limit: Duration) -> bool {
        let left = self.0.wait(Some(limit)).await.is_ok();
        if !left {
            cut_off(&self.0);
        }
        left
    }
}

/// Ends an actor in the middle of what it does, and everything below it: ractor spares children that are draining.
fn cut_off(actor: &ActorCell) {
    actor.get_children().iter().for_each(cut_off);
    actor.kill();
}

/// A running timer; dropping it stops it, so that none outlives its actor.
pub(crate) struct Timer(AbortHandle);

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts `behaviour` below `parent`, which hears of its end. Takes microseconds: nothing of the child runs in it.
///
/// # Errors
/// Fails when the parent is draining.
pub(crate) async fn spawn_child<B: Behaviour, P: Send + 'static>(
    parent: &Address<P>,
    behaviour: B,
) -> Result<Address<B::Message>, Death> {
    let (actor, _) = Actor::spawn_linked(None, Host(PhantomData), behaviour, parent.0.get_cell()).await?;
    Ok(Address(actor))
}

/// Starts `behaviour` as the root of a tree; the handle ends with it.
///
/// # Errors
/// Fails when the actor could not be started.
pub(crate) async fn spawn_root<B: Behaviour>(behaviour: B) -> Result<(Address<B::Message>, JoinHandle<()>), Death> {
    let (actor, handle) = Actor::spawn(None, Host(PhantomData), behaviour).await?;
    Ok((Address(actor), handle))
}

/// Runs a [`Behaviour`] as a ractor actor.
struct Host<B>(PhantomData<fn(B)>);

impl<B: Behaviour> Actor for Host<B> {
    type Msg = B::Message;
    type State = B;
    type Arguments = B;

    async fn pre_start(&self, _: ActorRef<B::Message>, behaviour: B) -> Result<B, ActorProcessingErr> {
        Ok(behaviour)
    }

    async fn post_start(&self, me: ActorRef<B::Message>, behaviour: &mut B) -> Result<(), ActorProcessingErr> {
        behaviour.started(&Address(me)).await
    }

    async fn handle(
        &self,
        me: ActorRef<B::Message>,
        message: B::Message,
        behaviour: &mut B,
    ) -> Result<(), ActorProcessingErr> {
        behaviour.handle(&Address(me), message).await
    }

    async fn handle_supervisor_evt(
        &self,
        me: ActorRef<B::Message>,
        event: SupervisionEvent,
        behaviour: &mut B,
    ) -> Result<(), ActorProcessingErr> {
        let (child, how) = match event {
            SupervisionEvent::ActorFailed(child, reason) => (child.get_id(), Ended::Crashed(reason.to_string())),
            SupervisionEvent::ActorTerminated(child, state, reason) => {
                // Who was killed in the middle of a message, or by the runtime's end, cannot hand in a state.
                let killed = state.is_none() || reason.as_deref() == Some(KILLED);
                let how = if killed { Ended::Crashed(reason.unwrap_or_default()) } else { Ended::Left };
                (child.get_id(), how)
            }
            _ => return Ok(()),
        };
        behaviour.child_ended(&Address(me), child, how).await
    }

    async fn post_stop(&self, me: ActorRef<B::Message>, behaviour: &mut B) -> Result<(), ActorProcessingErr> {
        behaviour.stopping(&Address(me)).await;
        Ok(())
    }
}
