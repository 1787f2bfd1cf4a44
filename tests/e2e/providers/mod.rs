//! Clusters of cloud providers: EKS, AKS and GKE.

mod aks;
mod aks_search;
mod clouds;
mod eks;
