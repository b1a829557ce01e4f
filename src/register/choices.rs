//! The short lists that a declaration chooses from, each with the ids it travels as and its words.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A choice from a short list: an enum with the id it travels as and its words.
macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $id:literal, $words:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $id)] $variant,)+
        }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            pub fn id(self) -> &'static str {
                match self { $($name::$variant => $id,)+ }
            }

            pub fn words(self) -> &'static str {
                match self { $($name::$variant => $words,)+ }
            }

            pub fn parse(id: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.id() == id)
            }
        }
    };
}

choices! {
    /// How deep a record goes; each level includes the ones before it.
    Granularity {
        Count = "count", "amounts only: how often, how long";
        Metadata = "metadata", "facts about it: which, when, where";
        Content = "content", "the content itself";
    }
}

choices! {
    /// Whether the person can see that it runs.
    Visibility {
        Visible = "visible", "you can see on your device that it runs";
        Stealth = "stealth", "it runs hidden; nothing on your device shows it";
    }
}

choices! {
    /// GDPR Art. 6(1), by the terms of DPV's `eu-gdpr` extension.
    LegalBasis {
        Consent = "eu-gdpr:A6-1-a", "consent (GDPR Art. 6(1)(a))";
        Contract = "eu-gdpr:A6-1-b", "needed for the contract of employment (GDPR Art. 6(1)(b))";
        LegalObligation = "eu-gdpr:A6-1-c", "a law demands it (GDPR Art. 6(1)(c))";
        VitalInterests = "eu-gdpr:A6-1-d", "to protect somebody's life (GDPR Art. 6(1)(d))";
        PublicTask = "eu-gdpr:A6-1-e", "a task in the public interest (GDPR Art. 6(1)(e))";
        LegitimateInterests = "eu-gdpr:A6-1-f", "legitimate interests of the employer (GDPR Art. 6(1)(f))";
    }
}

choices! {
    /// What a person can decide about it.
    ChoiceMode {
        OptIn = "opt_in", "off until you say yes";
        OptOut = "opt_out", "on until you say no";
        Objection = "objection", "on; you can object and the employer must answer";
        Mandatory = "mandatory", "you cannot refuse this";
    }
}

choices! {
    /// In which relation a recipient stands to the employer.
    RecipientKind {
        Internal = "internal", "inside the organisation";
        Processor = "processor", "works on the employer's orders";
        ThirdParty = "third_party", "uses it for itself";
    }
}

choices! {
    /// When guessing emotions at work isn't forbidden by AI Act Art. 5(1)(f).
    EmotionException {
        Medical = "medical", "medical reasons";
        Safety = "safety", "safety reasons";
    }
}
