//! The few words that we add to a page, in its language.

/// Words for what a page states of itself.
#[derive(Debug)]
pub(super) struct Labels {
    pub(super) contact: &'static str,
    pub(super) telephone: &'static str,
    pub(super) mail: &'static str,
    pub(super) address: &'static str,
    pub(super) hours: &'static str,
    pub(super) day: &'static str,
    pub(super) closed: &'static str,
    pub(super) price: &'static str,
    pub(super) available: &'static str,
    pub(super) sold_out: &'static str,
    pub(super) starts: &'static str,
    pub(super) ends: &'static str,
    pub(super) place: &'static str,
    /// Monday first.
    pub(super) days: [&'static str; 7],
}

/// In the language of a tag such as `de-AT`; English where we have no words.
pub(super) fn of(language: Option<&str>) -> &'static Labels {
    let tag = language.unwrap_or_default().trim().to_ascii_lowercase();
    let primary = tag.split(['-', '_']).next().unwrap_or_default();
    let primary = if matches!(primary, "no" | "nn") { "nb" } else { primary };
    let row = ALL.iter().find(|(name, _)| *name == primary);
    row.map_or(&ALL[0].1, |(_, labels)| labels)
}

/// Whether words begin with a day of the week, in any of our languages, or its first letters.
pub(super) fn is_day(words: &str) -> bool {
    let words = words.trim().to_lowercase();
    let first: String = words.chars().take_while(|c| c.is_alphabetic() || *c == '-').collect();
    let first = first.trim_end_matches('-').split('-').next().unwrap_or_default();
    let count = first.chars().count();
    let mut days = ALL.iter().flat_map(|(_, labels)| labels.days);
    (2..=14).contains(&count) && days.any(|day| day.to_lowercase().starts_with(first))
}

macro_rules! labels {
    ($($tag:literal: $contact:literal $telephone:literal $mail:literal $address:literal $hours:literal $day:literal
       $closed:literal $price:literal $available:literal $sold_out:literal
       $starts:literal $ends:literal $place:literal [$($days:literal)*];)*) => {
        &[$(($tag, Labels {
            contact: $contact, telephone: $telephone, mail: $mail, address: $address, hours: $hours, day: $day,
            closed: $closed, price: $price, available: $available,
            sold_out: $sold_out, starts: $starts, ends: $ends, place: $place, days: [$($days),*],
        })),*]
    };
}

const ALL: &[(&str, Labels)] = labels! {
    "en": "Contact" "Telephone" "Email" "Address" "Opening hours" "Day" "closed" "Price"
        "in stock" "sold out" "Begins" "Ends" "Place"
        ["Monday" "Tuesday" "Wednesday" "Thursday" "Friday" "Saturday" "Sunday"];
    "es": "Contacto" "Teléfono" "Correo electrónico" "Dirección" "Horario" "Día" "cerrado" "Precio"
        "disponible" "agotado" "Empieza" "Termina" "Lugar"
        ["lunes" "martes" "miércoles" "jueves" "viernes" "sábado" "domingo"];
    "fr": "Contact" "Téléphone" "E-mail" "Adresse" "Horaires d’ouverture" "Jour" "fermé" "Prix"
        "disponible" "épuisé" "Début" "Fin" "Lieu"
        ["lundi" "mardi" "mercredi" "jeudi" "vendredi" "samedi" "dimanche"];
    "de": "Kontakt" "Telefon" "E-Mail" "Adresse" "Öffnungszeiten" "Tag" "geschlossen" "Preis"
        "verfügbar" "ausverkauft" "Beginn" "Ende" "Ort"
        ["Montag" "Dienstag" "Mittwoch" "Donnerstag" "Freitag" "Samstag" "Sonntag"];
    "it": "Contatti" "Telefono" "E-mail" "Indirizzo" "Orari di apertura" "Giorno" "chiuso" "Prezzo"
        "disponibile" "esaurito" "Inizio" "Fine" "Luogo"
        ["lunedì" "martedì" "mercoledì" "giovedì" "venerdì" "sabato" "domenica"];
    "pt": "Contacto" "Telefone" "E-mail" "Endereço" "Horário de funcionamento" "Dia" "fechado" "Preço"
        "disponível" "esgotado" "Início" "Fim" "Local"
        ["segunda-feira" "terça-feira" "quarta-feira" "quinta-feira" "sexta-feira" "sábado" "domingo"];
    "nl": "Contact" "Telefoon" "E-mail" "Adres" "Openingstijden" "Dag" "gesloten" "Prijs"
        "op voorraad" "uitverkocht" "Begin" "Einde" "Plaats"
        ["maandag" "dinsdag" "woensdag" "donderdag" "vrijdag" "zaterdag" "zondag"];
    "pl": "Kontakt" "Telefon" "E-mail" "Adres" "Godziny otwarcia" "Dzień" "zamknięte" "Cena"
        "dostępny" "wyprzedany" "Początek" "Koniec" "Miejsce"
        ["poniedziałek" "wtorek" "środa" "czwartek" "piątek" "sobota" "niedziela"];
    "sv": "Kontakt" "Telefon" "E-post" "Adress" "Öppettider" "Dag" "stängt" "Pris"
        "i lager" "slutsåld" "Börjar" "Slutar" "Plats"
        ["måndag" "tisdag" "onsdag" "torsdag" "fredag" "lördag" "söndag"];
    "da": "Kontakt" "Telefon" "E-mail" "Adresse" "Åbningstider" "Dag" "lukket" "Pris"
        "på lager" "udsolgt" "Begynder" "Slutter" "Sted"
        ["mandag" "tirsdag" "onsdag" "torsdag" "fredag" "lørdag" "søndag"];
    "nb": "Kontakt" "Telefon" "E-post" "Adresse" "Åpningstider" "Dag" "stengt" "Pris"
        "på lager" "utsolgt" "Begynner" "Slutter" "Sted"
        ["mandag" "tirsdag" "onsdag" "torsdag" "fredag" "lørdag" "søndag"];
    "tr": "İletişim" "Telefon" "E-posta" "Adres" "Çalışma saatleri" "Gün" "kapalı" "Fiyat"
        "stokta" "tükendi" "Başlangıç" "Bitiş" "Yer"
        ["Pazartesi" "Salı" "Çarşamba" "Perşembe" "Cuma" "Cumartesi" "Pazar"];
};
