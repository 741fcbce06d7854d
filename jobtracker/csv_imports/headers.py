"""The header of a file: which field of a job a column has, by its name in English, German, French,
Spanish, Italian, Portuguese, Dutch and Polish."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence

from jobtracker.csv_imports.folding import PLURAL, bag_of_words, phrases

#: The fields that several columns can have, whose cells are joined.
JOINED = ("tags", "notes")

# By field: names that mean nothing else, one language in each line; folded, compared as bags of
# words. After a bar, those that stand for the field unless another column has one of the former.
_NAMES = {
    "company_name": """
        company; company name; employer; employer name; organization; organisation; org; business;
        firm; hiring company
        firma; unternehmen; arbeitgeber; firmenname; unternehmensname; betrieb; name der firma;
        name des unternehmens
        entreprise; societe; employeur; nom de l entreprise; nom de la societe; compagnie; structure
        empresa; compania; empleador; nombre de la empresa; organizacion
        azienda; societa; impresa; datore di lavoro; nome azienda; ditta
        companhia; empregador; nome da empresa; organizacao; entidade
        bedrijf; bedrijfsnaam; werkgever; naam bedrijf; organisatie
        pracodawca; nazwa firmy; przedsiebiorstwo; organizacja; społka
        | name; nom; nombre; nome; naam; nazwa; account""",
    "job_title": """
        title; job title; position; job position; position title; position name; role; job role;
        role title; role name; job; job name; job posting; vacancy; opening; opportunity
        stelle; stellenbezeichnung; titel; jobtitel; berufsbezeichnung; rolle; funktion;
        stellentitel; stelle als; bewerbung als; tatigkeit; beruf; stellenangebot; berufsbild
        poste; intitule du poste; titre; titre du poste; fonction; intitule; offre; emploi; metier;
        poste vise; nom du poste
        puesto; cargo; titulo; titulo del puesto; puesto de trabajo; vacante; rol; posicion; empleo;
        nombre del puesto
        posizione; ruolo; titolo; mansione; qualifica; posto; titolo di lavoro; offerta;
        posizione lavorativa; titolo posizione
        vaga; titulo da vaga; funcao; posicao; nome da vaga; titulo do cargo; papel
        functie; functietitel; functienaam; vacature; baan
        stanowisko; nazwa stanowiska; tytuł; rola; oferta pracy
        | name; nom; nombre; nome; naam; nazwa; task name; card name; aufgabe""",
    "location": """
        location; job location; location name; place; city; work location; office location; where
        ort; standort; arbeitsort; stadt; einsatzort; dienstort; arbeitsplatz; wo
        lieu; localisation; ville; lieu de travail; emplacement; localite
        ubicacion; lugar; ciudad; localizacion; lugar de trabajo; localidad
        luogo; sede; citta; sede di lavoro; localita; luogo di lavoro
        local; localizacao; cidade; local de trabalho; localidade
        locatie; plaats; stad; standplaats; werkplek; vestiging
        lokalizacja; miejsce; miasto; miejsce pracy; miejscowosc
        | region; country; land; pays; pais; paese; office; address; adresse; direccion; state""",
    "status": """
        status; application status; job status; current status; status name; stage; current stage;
        application stage; phase; progress; pipeline; step; list; list name; board list; column
        stand; bewerbungsstatus; stadium; stand der bewerbung; aktueller stand; aktueller status
        statut; etat; etape; statut de la candidature; avancement; situation
        estado; etapa; fase; estado de la solicitud; estado de la candidatura; estatus; situacion
        stato; stato candidatura; esito
        situacao; status da candidatura
        sollicitatiestatus; voortgang; stand van zaken
        etap; stan
        | state; result; outcome; ergebnis; resultat; resultado; risultato; resultaat; wynik""",
    "applied_date": """
        applied; applied date; applied on; applied at; date applied on; applied date time;
        application date; date of applying; apply date; submitted; date submitted; submission date;
        application submitted; application sent
        bewerbungsdatum; beworben; beworben am; datum der bewerbung; bewerbung am; bewerbung vom;
        bewerbung gesendet; bewerbung verschickt; gesendet am; abgeschickt am; eingereicht am
        date de candidature; postule le; candidature envoyee le; date de postulation; date d envoi;
        envoye le; candidature le
        fecha de solicitud; fecha de aplicacion; fecha de postulacion; fecha de candidatura;
        solicitado el; postulado el; fecha de envio; aplicado el; enviado el; solicitud enviada el
        data candidatura; candidato il; data invio; inviata il; inviato il; candidatura inviata il
        candidatura em; aplicado em; data de envio; data de inscricao; enviado em; candidatei em;
        candidatura enviada em
        sollicitatiedatum; datum sollicitatie; gesolliciteerd; gesolliciteerd op; verstuurd op
        data aplikacji; data aplikowania; data wysłania; data zgłoszenia; wysłano; zaaplikowano
        | date; datum; fecha; data; day; tag der bewerbung; jour""",
    "job_url": """
        url; link; job url; job link; posting url; posting link; job posting url; job posting link;
        website; website url; application link; application url; listing; listing url; listing link;
        web link; how; url link; job ad; job description link; role link
        stellenanzeige; link zur stelle; anzeige; webseite; internetadresse; link zur anzeige;
        stellenlink; ausschreibung; link zur ausschreibung; link zur stellenanzeige
        lien; lien de l offre; lien vers l offre; annonce; lien annonce; site web; url de l offre
        enlace; enlace de la oferta; vinculo; url de la oferta; anuncio; enlace a la oferta;
        sitio web
        collegamento; link annuncio; annuncio; link offerta; sito web; link all annuncio
        link da vaga; ligacao; url da vaga; site; hiperligacao
        vacaturelink; link naar vacature; link vacature
        link do oferty; ogłoszenie; strona; odnosnik
        | source url; company url; company website; quelle; fuente; fonte""",
    "tags": """
        tags; labels; keywords; category; categories; job type; tags labels
        schlagworter; schlagworte; stichworte; etiketten; kategorie; kategorien; stichworter
        etiquettes; mots cles
        etiquetas; palabras clave; categoria
        etichette; parole chiave; etichetta
        palavras chave; marcadores; rotulos; marcador
        trefwoorden; categorieen
        tagi; etykiety; kategoria; słowa kluczowe""",
    "priority": """
        priority; importance; prio
        prioritat; wichtigkeit; dringlichkeit
        priorite
        prioridad; importancia
        priorita; importanza
        prioridade
        prioriteit; belang
        priorytet""",
    "next_action_at": """
        next action date; next step date; follow up; followup; follow up date; followup date;
        follow up on; follow up by; next follow up; followup due; reminder; reminder date;
        next action at; due; due date
        nachfassen; nachfassen am; wiedervorlage; wiedervorlage am; erinnerung; erinnerung am;
        nachster termin; datum nachster schritt; fallig am
        relance; date de relance; rappel; date prochaine action; relancer le; echeance
        fecha de seguimiento; seguimiento; recordatorio; fecha proxima accion; fecha limite
        data follow up; promemoria; data prossima azione; ricontattare il; sollecito; scadenza
        data de seguimento; seguimento; lembrete; data proxima acao; data de acompanhamento;
        acompanhamento
        opvolgen op; opvolgdatum; herinnering
        przypomnienie; data kolejnego kroku""",
    "next_action_title": """
        next action; next step; next action title; to do; todo; action; next task; action item
        nachster schritt; nachste schritte; nachste aktion; aufgabe; zu tun; nachste aufgabe
        prochaine action; prochaine etape; a faire; action suivante
        proxima accion; proximo paso; siguiente paso; pendiente; siguiente accion
        prossima azione; prossimo passo; da fare; prossimi passi
        proxima acao; proximo passo; a fazer; proxima etapa
        volgende stap; volgende actie; te doen
        nastepny krok; kolejny krok; do zrobienia""",
    "last_action_at": """
        last contact; last action; last action at; last contact date; last contacted;
        last contacted on
        letzter kontakt; letzte aktion; zuletzt kontaktiert; letzter kontakt am
        dernier contact; derniere action; date du dernier contact
        ultimo contacto; ultima accion; fecha del ultimo contacto
        ultimo contatto; ultima azione; data ultimo contatto
        ultima acao; data do ultimo contacto; data do ultimo contato
        laatste contact; laatste actie
        ostatni kontakt""",
    "notes": """
        notes; comments; remarks; personal notes; notes comments; additional notes; note text
        notizen; notiz; bemerkung; bemerkungen; kommentar; kommentare; anmerkung; anmerkungen
        remarque; commentaire; observations
        nota; comentarios; observaciones; observacion
        appunti; commenti; commento; osservazioni; annotazioni; note personali
        observacoes; observacao; anotacoes
        notities; opmerkingen; opmerking; aantekeningen
        notatki; notatka; uwagi; komentarz; komentarze""",
}
FIELDS = tuple(_NAMES)
REQUIRED = ("company_name", "job_title")

MAX_COLUMNS = 100
#: Records before the header: a title, a date.
MAX_PREAMBLE = 20
# Characters of a name; what is longer is none.
_MAX_NAME = 80

_PARENTHESES = re.compile(r"\(.*?\)|\[.*?\]|\*")
# Between alternatives, as in "Role / Position".
_OR = re.compile(r"[/&+]|\s(?:or|and|oder|und|et|ou|y|e|o|en|i)\s", re.IGNORECASE)


@functools.cache
def _fields_by_key() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The fields that each name means, and those that it can stand for."""
    certain: dict[str, list[str]] = {}
    possible: dict[str, list[str]] = {}
    for field, names in _NAMES.items():
        for fields, table in zip((certain, possible), names.split("|"), strict=False):
            for name in phrases(table):
                fields.setdefault(bag_of_words(name, PLURAL), []).append(field)
    return certain, possible


def _fields_of(name: str, fields: Mapping[str, list[str]]) -> list[str]:
    """The fields of a name, of it without parentheses, or of the first of its alternatives that has
    any."""
    if not name or len(name) > _MAX_NAME:
        return []
    plain = _PARENTHESES.sub(" ", name)
    texts = dict.fromkeys((name, plain, *_OR.split(plain, maxsplit=3)))
    found = (fields.get(bag_of_words(text, PLURAL)) for text in texts)
    return next(filter(None, found), [])


def suggested(names: Sequence[str], fits: Callable[[int, str], bool]) -> dict[int, str]:
    """The field of each column whose name is known, by the column's index.

    :param fits: whether the cells of a column can have the values of a field
    """
    found: dict[int, str] = {}
    for fields in _fields_by_key():
        for index, name in enumerate(names):
            for field in _fields_of(name, fields) if index not in found else ():
                if (field in JOINED or field not in found.values()) and fits(index, field):
                    found[index] = field
                    break
    return dict(sorted(found.items()))


def number_of_fields(cells: Sequence[str]) -> int:
    """How many fields the cells name for certain."""
    certain, _possible = _fields_by_key()
    return len({field for cell in cells[:MAX_COLUMNS] for field in _fields_of(cell, certain)})


def header_index(lines: Sequence[Sequence[str]]) -> int:
    """Which of the first lines is the header: that which names the most fields; the first, if none
    names two."""
    numbers = [number_of_fields(cells) for cells in lines[: MAX_PREAMBLE + 1]]
    return numbers.index(max(numbers)) if max(numbers, default=0) > 1 else 0


def _folded_name(name: str) -> str:
    return " ".join(name.split()).casefold()


def column_keys(names: Sequence[str]) -> list[str]:
    """What identifies each column in a mapping: its name, or its index where that does not."""
    keys = [_folded_name(name) for name in names]
    return [
        str(index) if not key or key.isdecimal() or keys.count(key) > 1 else name
        for index, (name, key) in enumerate(zip(names, keys, strict=True))
    ]


def index_of(key: str, names: Sequence[str]) -> int | None:
    """The index of the column that a key of a mapping identifies; None if there is no such column,
    or several."""
    name, keys = _folded_name(key), [_folded_name(each) for each in names]
    if re.fullmatch("[0-9]{1,9}", name):
        return int(name) if int(name) < len(names) else None
    return keys.index(name) if keys.count(name) == 1 else None
