//! sipshard as its users meet it: the built program on loopback sockets, with the real SIPp calling
//! and answering, and the real kamcmd asking.

mod demo;
mod gateway_death;
mod idle;
mod listeners;
mod loss;
mod maxload;
mod reload;
mod sipp_calls;
mod steering;
mod stop;
mod support;
