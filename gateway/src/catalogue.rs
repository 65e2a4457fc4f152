//! The access table joined with the contract's descriptors: for a gRPC path,
//! who answers, who may ask, and the shapes of its messages.
//!
//! Enters: [`crate::access::PUBLIC`] and the embedded descriptors, once.
//! Leaves: [`Method`] by path. Refuses to be built when the two disagree.

use crate::access::{PUBLIC, Role, Upstream};
use prost_reflect::MethodDescriptor;
use std::collections::HashMap;

/// One public method.
#[derive(Debug, Clone)]
pub(crate) struct Method {
    /// `pm.v1.ProcessService/ListProcesses`: its name in routes, spans, metrics.
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) upstream: Upstream,
    pub(crate) descriptor: MethodDescriptor,
}

impl Method {
    /// Whether a call of it may change something: what a viewer may not do.
    pub(crate) fn changes(&self) -> bool {
        self.role > Role::Viewer
    }
}

/// Why the table and the contract do not fit.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The embedded descriptors are damaged.
    #[error("reading the contract")]
    Contract(#[from] pm_proto::json::JsonError),
    /// The table names what the contract does not have.
    #[error("the access table names {0}, which the contract does not have")]
    NotInContract(String),
    /// The contract has a method that nobody gave a role.
    #[error("{0} has no role in the access table")]
    NoRole(String),
    /// A REST route names a method that is not public.
    #[error("the route {route} names {rpc}, which is not public")]
    RouteWithoutMethod {
        /// The route's path.
        route: &'static str,
        /// What it names.
        rpc: &'static str,
    },
}

/// Every public method by name.
#[derive(Debug)]
pub(crate) struct Catalogue(HashMap<String, Method>);

impl Catalogue {
    /// Joins the table with the contract.
    pub(crate) fn load() -> Result<Self, CatalogueError> {
        let pool = pm_proto::json::pool()?;
        let mut methods = HashMap::new();
        for access in PUBLIC {
            let service = pool
                .get_service_by_name(access.service)
                .ok_or_else(|| CatalogueError::NotInContract(access.service.to_owned()))?;
            for (name, role) in access.methods {
                let full = format!("{}/{name}", access.service);
                let descriptor = service
                    .methods()
                    .find(|method| method.name() == *name)
                    .ok_or_else(|| CatalogueError::NotInContract(full.clone()))?;
                let method = Method { name: full.clone(), role: *role, upstream: access.upstream, descriptor };
                methods.insert(full, method);
            }
            if let Some(method) =
                service.methods().find(|method| !access.methods.iter().any(|(name, _)| *name == method.name()))
            {
                return Err(CatalogueError::NoRole(method.full_name().to_owned()));
            }
        }
        Ok(Self(methods))
    }

    /// The method of that name, as `pm.v1.ProcessService/ListProcesses`.
    pub(crate) fn method(&self, name: &str) -> Option<&Method> {
        self.0.get(name)
    }
}
