"""What the words of spreadsheets and trackers mean as a status and as a priority, in English,
German, French, Spanish, Italian, Portuguese, Dutch and Polish."""

import functools
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from jobtracker.csv_imports.folding import GENDER_AND_NUMBER, bag_of_words, folded, phrases
from jobtracker.jobs.models import Priority, Status

# Folded, compared as bags of words; of participles, one gender. Those of Huntr (its lists), Teal,
# Simplify, LinkedIn, Indeed, and of the templates of Notion, Airtable, Trello, Excel and Google
# Sheets.
_STATUSES = {
    Status.SAVED: """
        saved; wishlist; wish list; bookmarked; bookmark; interested; to apply; not applied;
        not yet applied; not started; want to apply; researching; research; lead; prospect; backlog;
        todo; to do; interesting; shortlist; planned; planning to apply; ready to apply; applying;
        preparing; preparing application; in preparation; draft; drafting; unsubmitted; found; new;
        idea; target; open; haven t applied
        gespeichert; gemerkt; merkliste; vorgemerkt; offen; geplant; noch nicht beworben;
        wunschliste; interessant; in vorbereitung; zu bewerben; noch bewerben; entwurf
        enregistre; sauvegarde; a postuler; interesse; non postule; pas encore postule; a faire;
        en preparation; brouillon; favori; a envoyer
        guardado; por aplicar; pendiente de aplicar; interesado; por hacer; no aplicado; borrador;
        lista de deseos; en preparacion; por enviar
        salvato; da candidare; da inviare; interessato; da fare; non candidato; bozza;
        in preparazione; preferito
        salvo; interessado; a candidatar; por candidatar; a fazer; nao candidatado; em preparacao;
        rascunho; favorito; para candidatar
        opgeslagen; te solliciteren; nog solliciteren; nog niet gesolliciteerd; verlanglijst
        zapisano; do wysłania; do aplikowania; planowane; zainteresowany""",
    Status.APPLIED: """
        applied; application sent; application submitted; submitted; sent; application received;
        received; awaiting; awaiting response; awaiting reply; awaiting feedback; awaiting decision;
        waiting; waiting for response; waiting for feedback; waiting to hear back; pending;
        in review; under review; pending review; reviewed; in progress; in process; ongoing;
        application viewed; viewed; resume viewed; resume downloaded; no response yet; active;
        considered; in consideration; application in review; followed up; follow up;
        application complete; applied online; applied via linkedin; applied referral; referred;
        contacting; contacted; easy applied; quick applied
        beworben; bewerbung verschickt; bewerbung gesendet; bewerbung abgeschickt; gesendet;
        verschickt; eingereicht; abgeschickt; versendet; in bearbeitung; eingangsbestatigung;
        bewerbung eingereicht; warte auf antwort; warten auf antwort; wartet; ausstehend; laufend;
        in prufung; bewerbung versandt; versandt; nachgefasst; eingang bestatigt; bewerbung lauft
        postule; candidature envoyee; envoye; en attente; en cours; en cours d examen; soumise;
        soumis; candidature deposee; en attente de reponse; en attente d une reponse; relance;
        en attente de retour; candidate; accuse de reception; candidature soumise; a relancer
        aplicado; postulado; solicitado; enviado; solicitud enviada; candidatura enviada; en espera;
        en proceso; inscrito; pendiente; en revision; esperando respuesta; presentado
        candidatura inviata; inviato; in attesa; in corso; in valutazione; presentato; in revisione;
        in attesa di risposta
        candidatado; candidatei me; candidatei; em analise; em andamento; aguardando; em espera;
        aguardando resposta; aguardando retorno; a aguardar; a aguardar resposta; pendente;
        submetido; em processo; curriculo enviado
        gesolliciteerd; verstuurd; verzonden; sollicitatie verstuurd; in behandeling; ingediend;
        in afwachting; wachten op reactie; wacht op reactie; lopend
        wysłano; wysłano cv; zaaplikowano; aplikowano; złozono; w trakcie; w toku; oczekuje;
        oczekiwanie; oczekujace; czekam; czekam na odpowiedz""",
    Status.RECRUITER_SCREEN: """
        recruiter screen; phone screen; phone screening; phone interview; screening; screen;
        hr phone screen; hr screening; screened; recruiter phone call; recruiter phone screen;
        hr phone call; talent screen; recruiter chat; recruiter call; hr screen; hr interview;
        initial screen; initial interview; phone call; screening call; intro call;
        introductory call; recruiter screening; pre screen; recruiter interview; prescreen;
        telephone interview; call; hr call; hr round; phone; recruiter; initial call;
        initial screening; screening interview
        telefoninterview; telefongesprach; erstgesprach; telefonat; vorauswahl; hr gesprach;
        telefonisches interview; screening gesprach; kennenlerngesprach; telefonisches erstgesprach
        entretien telephonique; appel telephonique; preselection; premier contact; entretien rh;
        pre selection; pre entretien; appel rh; prequalification; pre qualification
        entrevista telefonica; llamada; llamada telefonica; preseleccion; filtro telefonico;
        entrevista con rrhh; primer contacto; entrevista rrhh; llamada inicial; entrevista inicial
        colloquio telefonico; chiamata; preselezione; primo contatto; colloquio hr;
        screening telefonico; colloquio conoscitivo; chiamata conoscitiva
        ligacao; chamada; pre selecao; triagem; entrevista com rh; entrevista rh; telefonema;
        primeiro contacto; primeiro contato; entrevista por telefone
        telefonisch gesprek; kennismaking; kennismakingsgesprek; eerste contact
        rozmowa telefoniczna; telefon; rozmowa z rekruterem; rozmowa hr""",
    Status.INTERVIEWING: """
        interviewing; interview; interviewed; interview process; interview round; round;
        awaiting interview; waiting for interview; technical; technical interview; tech interview;
        technical screen; tech screen; technical test; technical round; technical assessment;
        tech challenge; video interview; virtual interview; zoom interview; panel interview;
        group interview; in person interview; video call; behavioral; behavioural;
        behavioral interview; behavioural interview; manager interview; hiring manager;
        hiring manager interview; system design; culture fit; live coding; take home;
        take home test; take home assignment; take home challenge; assessment; online assessment;
        oa; test; skills test; hackerrank; coding challenge; coding test; coding interview;
        code challenge; assignment; case study; homework; challenge
        vorstellungsgesprach; gesprach; bewerbungsgesprach; im gesprach; zweitgesprach; eingeladen;
        einladung; technisches interview; fachgesprach; online test; einstellungstest; testaufgabe;
        probeaufgabe; einladung zum gesprach; fachinterview; einladung zum vorstellungsgesprach
        entretien; entretien technique; test technique; en entretien; convoque; entretien d embauche
        entrevista; entrevistado; entrevista tecnica; prueba tecnica; en entrevista; entrevistando;
        citado; prueba
        colloquio; colloquio tecnico; intervista; in colloquio; prova; prova tecnica; test tecnico
        em entrevista; desafio; desafio tecnico
        gesprek; sollicitatiegesprek; uitgenodigd; op gesprek
        rozmowa; rozmowa kwalifikacyjna; rozmowa techniczna; zaproszenie; zadanie rekrutacyjne;
        zadanie; zaproszono""",
    Status.ONSITE: """
        onsite; on site; onsite interview; on site interview; final; final round; final interview;
        final round interview; last round; superday; super day; assessment center;
        assessment centre; site visit
        vor ort; vor ort termin; probearbeiten; probetag; endrunde; letzte runde; finales gesprach;
        vor ort gesprach; probearbeit; schnuppertag; abschlussgesprach
        sur site; entretien final; dernier entretien; journee d essai; entretien sur site;
        entretien sur place; sur place; tour final
        presencial; entrevista final; entrevista presencial; ultima entrevista; ronda final
        in sede; in presenza; colloquio finale; ultimo colloquio; colloquio in sede;
        colloquio in presenza
        fase final
        op locatie; eindgesprek; meeloopdag; laatste gesprek
        rozmowa koncowa; ostatni etap; finał""",
    Status.OFFER: """
        offer; offered; negotiating; negotiation; job offer; got an offer; verbal offer;
        written offer; offer negotiation; in negotiation
        angebot; vertragsangebot; verhandlung; vertrag erhalten; in verhandlung; jobangebot;
        vertragsverhandlung
        offre; proposition; negociation; offre d emploi; promesse d embauche; en negociation
        oferta; negociacion; ofrecido; en negociacion; oferta de trabajo
        offerta; proposta; trattativa; in trattativa; negoziazione
        negociacao; em negociacao
        aanbod; aanbieding; voorstel; onderhandeling
        propozycja; negocjacje""",
    Status.ACCEPTED: """
        accepted; offer accepted; hired; signed; got the job; employed; started; won; success;
        successful; contract signed; job accepted; landed
        angenommen; zusage; eingestellt; angebot angenommen; unterschrieben; vertrag unterschrieben;
        zugesagt; erfolgreich
        accepte; embauche; offre acceptee; recrute; contrat signe; retenu; signe
        aceptado; contratado; oferta aceptada; seleccionado
        accettato; assunto; offerta accettata; selezionato
        aceite; proposta aceite; oferta aceita; selecionado; aprovado
        aangenomen; geaccepteerd; aanbod geaccepteerd; contract getekend
        przyjeto; przyjety; zaakceptowano; zatrudniony; oferta przyjeta""",
    Status.REJECTED: """
        rejected; rejection; reject; declined; denied; no; not selected; not selected by employer;
        not proceeding; not progressing; not moving forward; no thanks; regret; turned down;
        no longer under consideration; no longer considered; unsuccessful; refused; not hired;
        company rejected; rejected us; rejected after interview; rejected by company; auto rejected;
        not a fit; no offer; application rejected; application declined; application denied;
        not accepted; not considered; failed; lost; not shortlisted; passed over; position filled;
        not chosen; no hire; not a match
        absage; abgelehnt; abgesagt; nicht ausgewahlt; absage nach gesprach;
        absage nach vorstellungsgesprach; absage nach interview; stelle besetzt; nicht genommen;
        erfolglos
        refuse; refus; rejete; non retenu; pas retenu; reponse negative; negatif; negative;
        refus apres entretien; candidature refusee; candidature rejetee; non selectionne
        rechazado; rechazo; descartado; no seleccionado; denegado; no aceptado; respuesta negativa
        rifiutato; rifiuto; respinto; scartato; non selezionato; esito negativo; risposta negativa
        rejeitado; recusado; reprovado; nao selecionado; nao; recusa; nao aprovado; eliminado;
        resposta negativa; rejeicao
        afgewezen; afwijzing; niet geselecteerd; niet aangenomen
        odrzucono; odrzucony; odmowa; negatywna; odpowiedz negatywna; nie przyjeto""",
    Status.WITHDRAWN: """
        withdrawn; withdrew; withdraw; i withdrew; self withdrawn; application withdrawn;
        withdrew application; rejected by me; offer declined; i declined; declined by me;
        turned down offer; offer rejected; i rejected; not interested; no longer interested;
        cancelled; canceled; passed; dropped out; not pursuing; removed
        zuruckgezogen; bewerbung zuruckgezogen; selbst abgesagt; angebot abgelehnt; kein interesse;
        abgebrochen; abgesagt von mir; nicht mehr interessiert; zuruckgenommen; eigene absage
        retire; candidature retiree; offre refusee; abandonne; desistement; offre declinee;
        plus interesse; annule; pas interesse
        retirado; candidatura retirada; oferta rechazada; renuncia; cancelado; solicitud retirada;
        no me interesa; no interesado; abandonado
        ritirato; candidatura ritirata; offerta rifiutata; rinuncia; rinunciato; annullato;
        non interessato
        desistencia; desisti; desistiu; proposta recusada; oferta recusada; sem interesse;
        nao tenho interesse
        ingetrokken; teruggetrokken; zelf afgezegd; aanbod geweigerd; geen interesse
        wycofano; wycofany; rezygnacja; zrezygnowano; zrezygnowałem; zrezygnowałam""",
    Status.GHOSTED: """
        ghosted; ghost; no response; no reply; no answer; never heard back; no feedback; no word;
        unresponsive; not heard back; haven t heard back; didn t hear back; no update; silence;
        stale; no contact; expired
        keine antwort; keine ruckmeldung; keine reaktion; ohne antwort; ohne ruckmeldung;
        funkstille; nicht gemeldet; nichts gehort
        sans reponse; pas de reponse; aucune reponse; sans nouvelles; sans retour; pas de nouvelles;
        aucun retour; pas de retour
        sin respuesta; no responde; no respondio; no contestaron; sin noticias; sin contestar;
        no respondieron; ninguna respuesta
        nessuna risposta; senza risposta; nessun riscontro; nessun feedback; non risponde
        sem resposta; nenhuma resposta; sem retorno; nao responderam; sem feedback; sem noticias
        geen reactie; geen antwoord; niets gehoord
        brak odpowiedzi; bez odpowiedzi; cisza; brak kontaktu""",
    Status.ARCHIVED: """
        archived; archive; closed; done; inactive; position closed; on hold; paused; job closed;
        complete; completed; finished; parked; hold; posting closed; job expired
        archiviert; geschlossen; erledigt; inaktiv; abgeschlossen; beendet; pausiert
        cloture; ferme; termine; clos; en pause
        archivado; cerrado; terminado; finalizado
        archiviato; chiuso; terminato; concluso; inattivo; in pausa
        arquivado; fechado; encerrado; concluido; em pausa
        gearchiveerd; gesloten; afgerond; afgesloten
        zarchiwizowane; zakonczone; zamkniete""",
}
_PRIORITIES = {
    Priority.HIGH: """
        high; highest; urgent; top; critical; very high; must have; dream job; p0; p1; a; important;
        hoch; sehr hoch; dringend; wichtig; haute; elevee; tres haute; forte; alta; hot; muy alta;
        molto alta; muito alta; maximum; strong; top choice; hoog; wysoki""",
    Priority.NORMAL: """
        normal; medium; mid; middle; moderate; p2; b; average; med; standard; regular; default;
        mittel; mittlere; moyenne; moyen; media; mediana; media alta; neutral; warm; gemiddeld;
        sredni""",
    Priority.LOW: """
        low; lowest; very low; p3; p4; c; minor; niedrig; gering; sehr niedrig; basse; faible; baja;
        baixa; tres basse; muy baja; molto bassa; muito baixa; nice to have; cold; optional; backup;
        minimal; laag; niski""",
}
# What does not change the meaning of a status beside it: numbers, and how far something is.
_DETAILS = re.compile(
    r"\b(?:[0-9]+(?:st|nd|rd|th|er|e|eme|[oa])?|first|second|third|erst(?:e|es)|zweit(?:e|es)"
    r"|premier|deuxieme|primer|primera|segunda|primo|secondo|primeira|eerste|tweede|pierwsza|druga"
    r"|scheduled|booked|requested|completed|pending|stage|received|got|extended|made"
    r"|geplant|vereinbart|gefuhrt|erhalten|bekommen|prevu|passe|planifie|programme|recue?|programada"
    r"|recibida|fissato|programmato|ricevut[oa]|agendada|marcada|recebida|gepland|ontvangen"
    r"|otrzymano)\b"
)


_TABLES: Mapping[type[StrEnum], Mapping[Any, str]] = {Status: _STATUSES, Priority: _PRIORITIES}


@functools.cache
def _meanings(kind: type[StrEnum]) -> dict[str, str]:
    """The meaning of each bag of words; of one that has several, the first."""
    found: dict[str, str] = {}
    for meaning, table in _TABLES[kind].items():
        for phrase in phrases(table):
            found.setdefault(bag_of_words(phrase, GENDER_AND_NUMBER), str(meaning))
    return found


def meaning_of(cell: str, kind: type[StrEnum]) -> str | None:
    """What the words of a cell mean as a status or as a priority; None if they are not known."""
    return _meaning_of(cell[:100], kind)


@functools.lru_cache(1024)
def _meaning_of(cell: str, kind: type[StrEnum]) -> str | None:
    meanings, words = _meanings(kind), folded(cell)
    found = (words, _DETAILS.sub("", words))
    keys = (bag_of_words(each, GENDER_AND_NUMBER) for each in found)
    return next((meanings[key] for key in keys if key in meanings), None)
