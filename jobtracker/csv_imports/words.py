"""What the words of spreadsheets and trackers mean as a status and as a priority, in English,
German, French, Spanish, Italian and Portuguese."""

import functools
from collections.abc import Mapping
from typing import Any

from jobtracker.csv_imports.folding import folded, without_number
from jobtracker.jobs.models import Priority, Status

# Folded. Those of Huntr (its lists), Teal, Simplify, LinkedIn, Indeed, and of the templates of
# Notion, Airtable, Trello, Excel and Google Sheets.
_STATUSES = {
    Status.SAVED: """
        saved; wishlist; wish list; bookmarked; bookmark; interested; to apply; not applied;
        not yet applied; not started; want to apply; researching; research; lead; leads; prospect;
        backlog; todo; to do; interesting; shortlist; planned; planning to apply; ready to apply;
        applying; preparing; in preparation; draft; drafting; preparing application; unsubmitted;
        found; new; idea; target; open; haven t applied
        gespeichert; gemerkt; merkliste; vorgemerkt; offen; geplant; noch nicht beworben;
        interessant;
        in vorbereitung; zu bewerben; noch bewerben; entwurf; wunschliste
        enregistre; enregistree; sauvegarde; sauvegardee; a postuler; interesse; interessant;
        non postule; pas encore postule; a faire; en preparation; brouillon; favori; a envoyer
        guardado; guardada; por aplicar; pendiente de aplicar; interesado; interesada; por hacer;
        no aplicado; lista de deseos; en preparacion; borrador; por enviar
        salvato; salvata; da candidare; da inviare; interessato; interessante; da fare;
        non candidato; in preparazione; bozza; preferito
        salvo; salva; guardada; a candidatar; por candidatar; interessado; interessada; a fazer;
        nao candidatado; em preparacao; rascunho; favorito; para candidatar""",
    Status.APPLIED: """
        awaiting feedback; waiting for feedback; applied via linkedin; awaiting decision;
        applied; application sent; application submitted; submitted; sent; application received;
        awaiting response; awaiting reply; waiting; waiting for response; pending; in review;
        under review; in progress; application viewed; viewed; resume viewed; resume downloaded;
        received; no response yet; active; considered; application in review; in consideration;
        followed up; follow up; application complete; applied online; applied referral; referred;
        waiting to hear back; contacting; contacted; easy applied; quick applied
        beworben; bewerbung verschickt; bewerbung gesendet; bewerbung abgeschickt; gesendet;
        verschickt; eingereicht; abgeschickt; versendet; in bearbeitung; eingangsbestatigung;
        bewerbung eingereicht; warte auf antwort; warten auf antwort; wartet; ausstehend; laufend;
        in prufung; bewerbung versandt; versandt; nachgefasst; eingang bestatigt
        postule; postulee; candidature envoyee; envoye; envoyee; en attente; en cours;
        en cours d examen;
        candidature deposee; soumis; soumise; en attente de reponse; relance; relancee; candidate;
        accuse de reception; candidature soumise
        aplicado; aplicada; postulado; postulada; solicitado; solicitada; enviado; enviada;
        solicitud enviada; candidatura enviada; en espera; en proceso; inscrito; inscrita;
        pendiente;
        en revision; esperando respuesta; presentada; presentado
        candidato; candidata; candidatura inviata; inviato; inviata; in attesa; in corso;
        in valutazione; presentata; presentato; in attesa di risposta; in revisione
        candidatado; candidatada; candidatei me; candidatei; candidatura enviada; inscrito;
        em analise; em andamento; aguardando; aguardando resposta; em espera; a aguardar;
        a aguardar resposta; pendente; submetido; submetida; em processo; curriculo enviado""",
    Status.RECRUITER_SCREEN: """
        hr phone screen; recruiter phone call; hr phone call; talent screen; recruiter chat;
        recruiter screen; phone screen; phone screening; phone interview; screening; screen;
        recruiter call; hr screen; hr interview; initial screen; initial interview; phone call;
        screening call; intro call; introductory call; recruiter screening; recruiter interview;
        pre screen; prescreen; telephone interview; call; hr call; hr round; phone; recruiter;
        recruiter phone screen; initial call; initial screening; first call; screening interview
        telefoninterview; telefongesprach; erstgesprach; telefonat; vorauswahl; hr gesprach;
        telefonisches interview; screening gesprach; kennenlerngesprach; telefonisches erstgesprach
        entretien telephonique; appel telephonique; preselection; premier contact; entretien rh;
        pre selection; pre entretien; appel rh; prequalification; pre qualification
        entrevista telefonica; llamada; llamada telefonica; preseleccion; filtro telefonico;
        entrevista con rrhh; primer contacto; entrevista rrhh; llamada inicial; entrevista inicial
        colloquio telefonico; chiamata; telefonata; preselezione; primo contatto;
        screening telefonico;
        colloquio hr; colloquio conoscitivo; chiamata conoscitiva
        entrevista telefonica; ligacao; chamada; pre selecao; triagem; entrevista com rh;
        entrevista rh; primeiro contacto; primeiro contato; entrevista por telefone; telefonema""",
    Status.INTERVIEWING: """
        behavioral; behavioural; system design; culture fit; tech challenge; interview round 1;
        interview round 2; interview round 3; live coding; take home challenge; group interview;
        interviewing; interview; interviews; interviewed; interview scheduled; technical;
        technical interview; tech interview; technical screen; tech screen; first interview;
        second interview; third interview; 1st interview; 2nd interview; 3rd interview;
        video interview;
        first round; second round; third round; 1st round; 2nd round; round 1; round 2; round 3;
        interview 1; interview 2; interview 3; take home; take home test; take home assignment;
        assessment; online assessment; oa; test; coding challenge; coding test; coding interview;
        assignment; hiring manager; hiring manager interview; case study; in person interview;
        technical test; technical round; technical assessment; interview stage; interview process;
        homework; challenge; behavioral interview; behavioural interview; manager interview;
        interview booked; interview completed; virtual interview; hackerrank; code challenge;
        interview requested; skills test; video call; panel interview; zoom interview
        vorstellungsgesprach; interview; gesprach; bewerbungsgesprach; im gesprach; zweitgesprach;
        eingeladen; einladung; technisches interview; fachgesprach; online test; einstellungstest;
        zweites gesprach; erstes gesprach; einladung zum gesprach; 1 gesprach; 2 gesprach;
        interview vereinbart; fachinterview; testaufgabe; probeaufgabe; gesprach vereinbart
        entretien; entretiens; entretien prevu; entretien technique; entretien passe;
        test technique;
        en entretien; 1er entretien; 2eme entretien; premier entretien; deuxieme entretien;
        second entretien; entretien planifie; convoque; convoquee; entretien d embauche
        entrevista; entrevistas; entrevistado; entrevistada; entrevista tecnica; prueba tecnica;
        en entrevista; entrevista programada; primera entrevista; segunda entrevista; entrevistando;
        en entrevistas; citado; prueba
        colloquio; colloqui; colloquio tecnico; intervista; in colloquio; primo colloquio;
        secondo colloquio; prova tecnica; colloquio fissato; colloquio programmato; test tecnico
        entrevista; entrevistas; entrevista tecnica; em entrevista; teste tecnico; prova;
        entrevista agendada; entrevista marcada; primeira entrevista; segunda entrevista; desafio;
        em entrevistas; teste; desafio tecnico""",
    Status.ONSITE: """
        onsite; on site; onsite interview; on site interview; final; final round; final interview;
        last round; final stage; superday; assessment center; assessment centre; super day; finals;
        final rounds; site visit; onsites
        vor ort; vor ort termin; probearbeiten; probetag; endrunde; letzte runde; finales gesprach;
        vor ort gesprach; probearbeit; schnuppertag; abschlussgesprach
        sur site; entretien final; dernier entretien; journee d essai; entretien sur site;
        entretien sur place; sur place; tour final
        presencial; entrevista final; entrevista presencial; ultima entrevista; ronda final
        in sede; in presenza; colloquio finale; ultimo colloquio; colloquio in sede;
        colloquio in presenza
        entrevista final; entrevista presencial; ultima entrevista; fase final; ronda final""",
    Status.OFFER: """
        offer; offers; offered; offer received; negotiating; negotiation; job offer; offer extended;
        received offer; got offer; got an offer; offer stage; verbal offer; written offer;
        offer made;
        offer negotiation; in negotiation
        angebot; angebot erhalten; vertragsangebot; verhandlung; vertrag erhalten; in verhandlung;
        jobangebot; vertragsverhandlung
        offre; offre recue; proposition; negociation; offre d emploi; promesse d embauche;
        proposition recue; en negociation
        oferta; oferta recibida; negociacion; ofrecido; en negociacion; oferta de trabajo
        offerta; offerta ricevuta; proposta; trattativa; in trattativa; negoziazione;
        proposta ricevuta
        oferta; proposta; proposta recebida; negociacao; oferta recebida; em negociacao""",
    Status.ACCEPTED: """
        accepted; offer accepted; hired; signed; accepted offer; got the job; employed; started;
        won;
        success; successful; contract signed; job accepted; landed
        angenommen; zusage; eingestellt; angebot angenommen; unterschrieben; vertrag unterschrieben;
        zugesagt; erfolgreich
        accepte; acceptee; embauche; embauchee; offre acceptee; recrute; recrutee; contrat signe;
        retenu; retenue; signe
        aceptado; aceptada; contratado; contratada; oferta aceptada; seleccionado; seleccionada
        accettato; accettata; assunto; assunta; offerta accettata; selezionato; selezionata
        aceite; aceito; aceita; contratado; contratada; proposta aceite; oferta aceita;
        proposta aceita; selecionado; selecionada; aprovado; aprovada""",
    Status.REJECTED: """
        not selected by employer; not proceeding; not progressing; no thanks; regret;
        rejected; rejection; declined; denied; not selected; not moving forward; turned down;
        no longer under consideration; unsuccessful; refused; not hired; company rejected; no;
        rejected us;
        rejected after interview; rejected by company; not a fit; no offer; application rejected;
        not accepted; not considered; failed; lost; application declined; not shortlisted;
        passed over;
        no longer considered; position filled; not chosen; rejection received; no hire
        absage; abgelehnt; abgesagt; absage erhalten; absage bekommen; nicht ausgewahlt;
        absage nach gesprach;
        absage nach interview; stelle besetzt; nicht genommen; erfolglos
        refuse; refusee; rejete; rejetee; refus; non retenu; non retenue; reponse negative; negatif;
        refus apres entretien; candidature refusee; candidature rejetee; negative; pas retenu;
        non selectionne
        rechazado; rechazada; rechazo; descartado; descartada; no seleccionado; denegado;
        no seleccionada;
        denegada; no aceptado; respuesta negativa
        rifiutato; rifiutata; rifiuto; respinto; respinta; scartato; scartata; non selezionato;
        non selezionata; esito negativo; risposta negativa; negativo
        rejeitado; rejeitada; recusado; recusada; reprovado; reprovada; nao selecionado; nao;
        nao selecionada; recusa; nao aprovado; eliminado; resposta negativa; rejeicao""",
    Status.WITHDRAWN: """
        withdrawn; withdrew; i withdrew; application withdrawn; offer declined; declined offer;
        i declined; not interested; cancelled; canceled; turned down offer; rejected offer;
        offer rejected; passed; no longer interested; i rejected; self withdrawn; withdraw;
        dropped out; declined by me; not pursuing; removed
        zuruckgezogen; bewerbung zuruckgezogen; selbst abgesagt; angebot abgelehnt; kein interesse;
        abgebrochen; abgesagt von mir; nicht mehr interessiert; zuruckgenommen; eigene absage
        retire; retiree; candidature retiree; offre refusee; abandonne; abandonnee; desistement;
        offre declinee; plus interesse; annule; annulee; pas interesse
        retirado; retirada; candidatura retirada; oferta rechazada; renuncia; cancelado; cancelada;
        solicitud retirada; no me interesa; no interesado; abandonado
        ritirato; ritirata; candidatura ritirata; offerta rifiutata; rinuncia; rinunciato;
        annullato;
        annullata; non interessato; non interessata
        desistencia; desisti; retirado; candidatura retirada; proposta recusada; cancelado;
        desistiu;
        cancelada; oferta recusada; sem interesse; nao tenho interesse""",
    Status.GHOSTED: """
        ghosted; ghost; no response; no reply; no answer; never heard back; no feedback;
        unresponsive;
        not heard back; haven t heard back; no update; silence; stale; no word; no contact; expired;
        didn t hear back
        keine antwort; keine ruckmeldung; keine reaktion; ohne antwort; ohne ruckmeldung;
        funkstille;
        nicht gemeldet; nichts gehort
        sans reponse; pas de reponse; aucune reponse; sans nouvelles; sans retour; pas de nouvelles;
        aucun retour; pas de retour; ghoste
        sin respuesta; no responde; no respondio; no contestaron; sin noticias; sin contestar;
        no respondieron; ninguna respuesta
        nessuna risposta; senza risposta; nessun riscontro; nessun feedback; non risponde
        sem resposta; nenhuma resposta; sem retorno; nao responderam; sem feedback; sem noticias""",
    Status.ARCHIVED: """
        archived; archive; closed; done; inactive; position closed; on hold; paused; job closed;
        complete;
        completed; finished; parked; hold; posting closed; job expired
        archiviert; archiv; geschlossen; erledigt; inaktiv; abgeschlossen; beendet; pausiert
        archive; archivee; cloture; cloturee; ferme; fermee; termine; terminee; clos; en pause
        archivado; archivada; cerrado; cerrada; terminado; finalizado; inactivo; en pausa; cerrados
        archiviato; archiviata; chiuso; chiusa; terminato; concluso; inattivo; in pausa; conclusa
        arquivado; arquivada; fechado; fechada; encerrado; encerrada; concluido; em pausa;
        finalizada""",
}
_PRIORITIES = {
    Priority.HIGH: """
        high; highest; urgent; top; critical; very high; must have; dream job; p0; p1; a; important;
        hoch; sehr hoch; dringend; wichtig; haute; elevee; tres haute; urgente; forte; alta;
        muy alta;
        molto alta; muito alta; importante; maximum; hot; strong; top choice""",
    Priority.NORMAL: """
        normal; medium; mid; middle; moderate; p2; b; average; med; standard; regular; default;
        mittel; moyenne; normale; moyen; media; medio; mediana; media alta; neutral; warm;
        mittlere""",
    Priority.LOW: """
        low; lowest; very low; p3; p4; c; minor; niedrig; gering; sehr niedrig; basse; faible; baja;
        bassa; baixa; tres basse; muy baja; molto bassa; muito baixa; nice to have; cold; optional;
        backup; minimal""",
}


def _meanings(words: Mapping[Any, str]) -> dict[str, str]:
    """The meaning of each word; of one that has several, the first."""
    found: dict[str, str] = {}
    for meaning, text in words.items():
        found[folded(meaning)] = str(meaning)
        for word in text.replace("\n", ";").split(";"):
            if word := word.strip():
                found.setdefault(word, str(meaning))
    return found


@functools.cache
def _statuses() -> dict[str, str]:
    return _meanings(_STATUSES)


@functools.cache
def _priorities() -> dict[str, str]:
    return _meanings(_PRIORITIES)


def status_of(cell: str) -> str | None:
    """The status that the words of a cell mean; None if they are not known."""
    word = folded(cell)
    return _statuses().get(word) or _statuses().get(without_number(word))


def priority_of(cell: str) -> str | None:
    """The priority that the words of a cell mean, as :func:`status_of`."""
    word = folded(cell)
    return _priorities().get(word) or _priorities().get(without_number(word))
