"""The header of a file: which field of a job the words of a column stand for, in English, German,
French, Spanish, Italian and Portuguese."""

import functools
import re
from collections.abc import Sequence

from jobtracker.csv_imports.folding import folded

#: The fields that several columns can have, whose cells are joined.
JOINED = ("tags", "notes")

# By field: names that mean nothing else, one language in each line; folded. After a bar, those that
# stand for the field unless another column has one of the former.
_WORDS = {
    "company_name": """
        company; company name; employer; employer name; organization; organisation; business;
        firm; hiring company; company or organization; name of company
        firma; unternehmen; arbeitgeber; firmenname; unternehmensname; betrieb; name der firma;
        name des unternehmens; organisation
        entreprise; societe; employeur; nom de l entreprise; nom de la societe; compagnie; structure
        empresa; compania; empleador; nombre de la empresa; organizacion
        azienda; societa; impresa; datore di lavoro; nome azienda; nome dell azienda; ditta
        companhia; empregador; nome da empresa; organizacao; entidade
        | name; nom; nombre; nome; account""",
    "job_title": """
        job title; title; position; role; job; job name; job role; position title; role title;
        job position; vacancy; opening; position name; role name; job posting; opportunity
        stelle; stellenbezeichnung; titel; jobtitel; berufsbezeichnung; rolle; funktion;
        stellentitel;
        stelle als; bewerbung als; tatigkeit; beruf; stellenangebot; berufsbild
        poste; intitule du poste; titre du poste; titre; fonction; intitule; offre; emploi; metier;
        poste vise; nom du poste
        puesto; cargo; titulo; titulo del puesto; puesto de trabajo; vacante; rol; posicion; empleo;
        nombre del puesto
        posizione; ruolo; titolo; mansione; qualifica; posto; titolo di lavoro;
        posizione lavorativa;
        offerta; titolo posizione
        vaga; titulo da vaga; funcao; posicao; nome da vaga; titulo do cargo; papel
        | name; nom; nombre; nome; task name; card name; aufgabe""",
    "location": """
        location; job location; place; city; work location; office location; location name; where
        ort; standort; arbeitsort; stadt; einsatzort; dienstort; arbeitsplatz; wo
        lieu; localisation; ville; lieu de travail; emplacement; localite
        ubicacion; lugar; ciudad; localizacion; lugar de trabajo; localidad
        luogo; sede; citta; sede di lavoro; localita; luogo di lavoro
        local; localizacao; cidade; local de trabalho; localidade
        | region; country; land; pays; pais; paese; office; address; adresse; direccion; state""",
    "status": """
        status; application status; stage; job status; current status; current stage; phase;
        application stage; progress; pipeline; step; list; list name; board list; column;
        status name
        stand; bewerbungsstatus; phase; stadium; stand der bewerbung; aktueller stand;
        aktueller status
        statut; etat; etape; statut de la candidature; avancement; statut candidature; situation
        estado; etapa; fase; estado de la solicitud; estado de la candidatura; estatus; situacion
        stato; fase; stato candidatura; stato della candidatura; esito
        estado da candidatura; situacao; status da candidatura; etapa
        | state; result; outcome; ergebnis; resultat; resultado; risultato""",
    "applied_date": """
        applied date; date applied; applied on; applied; application date; applied at;
        date of application; submitted; date submitted; submission date; apply date;
        date applied on;
        application submitted; applied date time; date of applying; application sent
        bewerbungsdatum; beworben am; datum der bewerbung; bewerbung am; beworben; bewerbung vom;
        bewerbung gesendet; bewerbung verschickt; gesendet am; abgeschickt am; eingereicht am
        date de candidature; postule le; candidature envoyee le; date de postulation; date d envoi;
        date candidature; envoye le; date de la candidature; candidature le
        fecha de solicitud; fecha de aplicacion; fecha de postulacion; fecha de candidatura;
        solicitado el; postulado el; fecha de envio; aplicado el; enviado el; fecha solicitud
        data candidatura; data di candidatura; candidato il; data invio; data di invio;
        data della candidatura; inviata il; inviato il
        data da candidatura; data de candidatura; candidatura em; aplicado em; data de envio;
        data de inscricao; enviado em; data da inscricao; candidatei em
        | date; datum; fecha; data; day; tag der bewerbung; jour""",
    "job_url": """
        url; link; job url; job link; posting url; link to job; job posting url; website;
        job posting link; application link; application url; posting link; listing url; listing;
        web link;
        link to posting; how; url link; job ad; job description link; listing link
        stellenanzeige; link zur stelle; anzeige; webseite; internetadresse; link zur anzeige;
        stellenlink; ausschreibung; link zur ausschreibung; link zur stellenanzeige
        lien; lien de l offre; lien vers l offre; annonce; lien annonce; site web; url de l offre;
        lien offre
        enlace; enlace de la oferta; vinculo; url de la oferta; anuncio; enlace a la oferta;
        sitio web
        collegamento; link annuncio; annuncio; link offerta; sito web; link all annuncio
        link da vaga; ligacao; url da vaga; link vaga; site; hiperligacao
        | source url; company url; company website; quelle; fuente; fonte""",
    "tags": """
        tags; tag; labels; label; keywords; categories; category; job type; tags labels
        schlagworter; schlagworte; stichworte; etiketten; kategorie; kategorien; stichworter
        etiquettes; mots cles; categorie; categories; etiquette
        etiquetas; palabras clave; categoria; categorias; etiqueta
        etichette; parole chiave; categorie; categoria; etichetta
        palavras chave; marcadores; rotulos; marcador""",
    "priority": """
        priority; importance; prio
        prioritat; wichtigkeit; dringlichkeit
        priorite; importance
        prioridad; importancia
        priorita; importanza
        prioridade; importancia""",
    "next_action_at": """
        next action date; next step date; follow up date; followup date; follow up; follow up on;
        reminder; reminder date; next action at; next follow up; due date; due; follow up by
        nachfassen am; wiedervorlage; erinnerung; nachster termin; wiedervorlage am;
        datum nachster schritt; fallig am; nachfassen; erinnerung am
        date de relance; relance; relance le; rappel; date prochaine action; relancer le; echeance
        fecha de seguimiento; seguimiento; recordatorio; fecha proxima accion; fecha limite
        data follow up; promemoria; data prossima azione; ricontattare il; sollecito; scadenza
        data de seguimento; seguimento; lembrete; data proxima acao; data de acompanhamento;
        acompanhamento""",
    "next_action_title": """
        next action; next step; next steps; next action title; to do; todo; action; next task;
        action item; action items
        nachster schritt; nachste schritte; nachste aktion; aufgabe; zu tun; nachste aufgabe
        prochaine action; prochaine etape; a faire; action suivante; prochaines etapes
        proxima accion; proximo paso; siguiente paso; pendiente; proximos pasos; siguiente accion
        prossima azione; prossimo passo; da fare; prossimi passi
        proxima acao; proximo passo; a fazer; proximos passos; proxima etapa""",
    "last_action_at": """
        last contact; last action; last action at; last contact date; last contacted;
        last contacted on
        letzter kontakt; letzte aktion; zuletzt kontaktiert; letzter kontakt am
        dernier contact; derniere action; date du dernier contact
        ultimo contacto; ultima accion; fecha del ultimo contacto
        ultimo contatto; ultima azione; data ultimo contatto
        ultima acao; data do ultimo contacto; data do ultimo contato""",
    "notes": """
        notes; note; comments; comment; remarks; remark; my notes; personal notes; notes comments;
        comments notes; additional notes; note text; notes and comments
        notizen; notiz; bemerkung; bemerkungen; kommentar; kommentare; anmerkung; anmerkungen
        remarque; remarques; commentaire; commentaires; observations
        notas; nota; comentarios; comentario; observaciones; observacion
        appunti; commenti; commento; osservazioni; annotazioni; note personali
        observacoes; observacao; anotacoes; comentarios""",
}
FIELDS = tuple(_WORDS)
REQUIRED = ("company_name", "job_title")

MAX_COLUMNS = 100
#: Records before the header: a title, a date.
MAX_PREAMBLE = 20

_PARENTHESES = re.compile(r"\(.*?\)|\[.*?\]|\*")


@functools.cache
def _fields_by_word() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The fields that each word means, and those that it can stand for."""
    certain: dict[str, list[str]] = {}
    possible: dict[str, list[str]] = {}
    for field, words in _WORDS.items():
        for by_word, text in zip((certain, possible), words.split("|"), strict=False):
            for word in text.replace("\n", ";").split(";"):
                if word := word.strip():
                    by_word.setdefault(word, []).append(field)
        certain.setdefault(folded(field), []).append(field)
    return certain, possible


def _words_of(name: str) -> tuple[str, str]:
    return folded(name[:200]), folded(_PARENTHESES.sub(" ", name[:200]))


def suggested(names: Sequence[str]) -> dict[int, str]:
    """The field of each column whose name is known, by the column's index."""
    words = [_words_of(name) for name in names]
    found: dict[int, str] = {}
    for by_word in _fields_by_word():
        for index, of_column in enumerate(words):
            if index in found:
                continue
            fields = next((by_word[word] for word in of_column if word in by_word), ())
            for field in fields:
                if field in JOINED or field not in found.values():
                    found[index] = field
                    break
    return dict(sorted(found.items()))


def number_of_words(cells: Sequence[str]) -> int:
    """How many fields the cells name for certain."""
    certain, _possible = _fields_by_word()
    words = (word for cell in cells[:MAX_COLUMNS] if cell for word in _words_of(cell))
    return len({field for word in words for field in certain.get(word, ())})


def header_index(lines: Sequence[Sequence[str]]) -> int:
    """Which of the first lines is the header: that which names the most fields; the first, if none
    names two."""
    numbers = [number_of_words(cells) for cells in lines[: MAX_PREAMBLE + 1]]
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
