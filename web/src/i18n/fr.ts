/* French. */
import { plural } from "../lib/format.ts";
import type { Dictionary } from "./en.ts";

export const fr = {
	app: { dashboard: "Tableau de bord", console: "Console", skip: "Aller au contenu", menu: "Réglages", openConsole: "Ouvrir la console", openDashboard: "Ouvrir le tableau de bord" },
	live: {
		live: "En direct", connecting: "Connexion", reconnecting: "Reconnexion", paused: "En pause", disconnected: "Déconnecté", polling: "Par relevés",
		ago: (t: string) => `il y a ${t}`, pause: "Suspendre les mises à jour", resume: "Reprendre les mises à jour", now: "à l’instant",
		banner: "Le serveur ne répond pas. Vous voyez ce qu’il a dit en dernier.", retry: (s: string) => `Prochain essai dans ${s}.`,
		retryNow: "Nouvel essai", back: "De nouveau connecté.", freshness: "Fraîcheur", behind: (t: string) => `${t} de retard`,
		freshTip: "Du commit dans PostgreSQL jusqu’aux tables d’analyse",
	},
	set: {
		theme: "Thème", system: "Système", light: "Clair", dark: "Sombre", language: "Langue", browser: "Navigateur", zone: "Fuseau horaire", english: "English",
		french: "Français", shortcuts: "Raccourcis clavier", licences: "Licences",
	},
	act: {
		close: "Fermer", cancel: "Annuler", save: "Enregistrer", create: "Créer", edit: "Modifier", delete: "Supprimer", retry: "Réessayer", copy: "Copier", copied: "Copié",
		search: "Rechercher", clear: "Effacer", more: "Plus", previous: "Précédent", next: "Suivant", refresh: "Actualiser", show: "Afficher", hide: "Masquer", all: "Tout",
		back: "Retour", details: "Détails", open: "Ouvrir", csv: "Exporter en CSV",
	},
	word: {
		loading: "Chargement", error: "Erreur", none: "Aucun", name: "Nom", state: "État", unknown: "Inconnu", since: "depuis", of: "sur", total: "Total",
		from: "Du", to: "Au", per: "par seconde", rows: (n: number) => plural(n, "ligne", "lignes"), requestId: "Requête", table: "Tableau des données", yes: "oui", no: "non",
		showing: (a: string, b: string, n: string) => `${a}–${b} sur ${n}`, page: "Page", size: "Taille", time: "Heure", value: "Valeur", key: "Clé",
		status: "Statut", date: "Date", count: "Nombre", notFound: "Cette page n’existe pas.", rateUnit: (n: string) => `${n}/s`,
	},
	state: {
		RUNNING: "En marche", PAUSED: "En pause", STOPPED: "Arrêté", FAILED: "En échec", UNASSIGNED: "Non affecté", ok: "OK", warning: "Attention", failed: "En échec",
		degraded: "Dégradé", DEGRADED: "Dégradé", CREATED: "Créé", STARTING: "Démarrage", BACKFILL: "Reprise initiale", CANCELED: "Annulé",
		CANCELLED: "Annulé", CANCELLING: "Annulation", FINISHED: "Terminé", RESTARTING: "Redémarrage", Stable: "Stable", Empty: "Vide", Dead: "Mort",
		PreparingRebalance: "Rééquilibrage", CompletingRebalance: "Rééquilibrage", pending: "En attente de confirmation",
	} as Record<string, string>,
	status: { SCHEDULED: "Planifiée", IN_PROGRESS: "En cours", COMPLETED: "Terminée", VALIDATED: "Validée" },
	kpi: {
		total: "Interventions", average: "Durée moyenne", ratio: "Taux de validation", versus: (d: string) => `vs ${d}`, same: "inchangé",
		trendOf: (n: string) => `${n}, 14 derniers jours`, day: "Jour", today: "Aujourd’hui", earlier: "Jour précédent", later: "Jour suivant",
		noRows: "Aucune intervention planifiée ce jour", latest: (d: string) => `Dernier jour avec des données : ${d}`,
	},
	chart: {
		trend: "Interventions par jour", stacked: "Statuts par jour", load: "Charge des techniciens", share: "Statuts du jour", days: (n: number) => plural(n, "jour", "jours"),
		keys: "Les flèches du clavier lisent les valeurs", open: "Ouvertes", doneToday: "Terminées ce jour", validated: "validées", technician: "Technicien",
		empty: "Rien à tracer pour l’instant", emptyWhy: "Le graphique se remplit dès que le job a écrit des lignes pour ces jours.", unknownTech: (id: string) => `Technicien ${id}`,
		range: "Jours affichés",
	},
	map: {
		title: "Carte", label: (n: number) => `Carte de ${plural(n, "intervention", "interventions")}`, fit: "Cadrer les données", attribution: "Natural Earth, U.S. Census Bureau, NYC 311",
		keys: "Les flèches déplacent la carte, plus et moins zooment ; le tableau liste les mêmes interventions", planned: "Planifiée", updated: "Modifiée", filter: "Statuts affichés",
		empty: "Aucune intervention n’a encore de position", count: (n: number) => plural(n, "intervention", "interventions"), zoomIn: "Zoom avant", zoomOut: "Zoom arrière",
	},
	ai: {
		insights: "Constats", forecast: "Prévision à 7 jours", method: "Lissage exponentiel simple", baseline: "Moyenne", last: "Dernier jour", none: "Pas encore assez d’historique",
		UP: "En hausse", DOWN: "En baisse", FLAT: "Stable", expected: "attendues", noneWhy: "Il faut un jour avec des interventions terminées.",
	},
	list: {
		title: "Interventions", reference: "Référence", subject: "Titre", description: "Description", technician: "Technicien", planned: "Planifiée", updated: "Modifiée",
		mode: "Affectation", AUTO: "Automatique", MANUAL: "Manuelle", latitude: "Latitude", longitude: "Longitude", search: "Chercher référence ou titre",
		anyStatus: "Tous les statuts", anyTech: "Tous les techniciens", nobody: "Personne", create: "Nouvelle intervention", editTitle: (r: string) => `Modifier ${r}`,
		advance: (s: string) => `Passer à ${s}`, deleteTitle: (r: string) => `Supprimer ${r} ?`, deleteText: "La ligne est supprimée de la base de données, sans retour possible.",
		empty: "Aucune intervention ne correspond", emptyWhy: "Effacez les filtres, ou créez-en une.", created: (r: string) => `${r} a été créée`, saved: (r: string) => `${r} a été enregistrée`,
		deleted: (r: string) => `${r} a été supprimée`, actions: "Actions", onMap: "Voir sur la carte", perPage: "par page", missing: "Ce champ est nécessaire",
		newRows: "Nouvelles lignes", changed: (r: string, s: string) => `${r} : ${s}`, fetch: "La liste n’a pas pu être lue",
	},
	nav: { home: "Accueil", topics: "Topics", groups: "Groupes", connectors: "Connecteurs", jobs: "Jobs" },
	home: {
		title: "Santé", allWell: "Tout fonctionne", degraded: "Des points demandent attention", failed: "Quelque chose est en échec", memory: "Mémoire", uptime: "En marche depuis",
		log: "Journal sur disque", free: "Disque libre", version: "Version", checks: "Contrôles", listeners: "Écoutes", address: "Adresse", data: "Répertoire des données",
		events: "Événements", lag: "Retard", throughput: "Débit", seeAll: "Tout voir", hint: "Ce qui aide",
	},
	topic: {
		title: "Topics", partitions: "Partitions", records: "Messages", size: "Taille", rate: "Débit", internal: "interne", showInternal: "Topics internes", messages: "Messages",
		live: "En direct", configs: "Configuration", readers: "Lecteurs", from: "À partir", newest: "Des plus récents", oldest: "Du début", offset: "D’un offset", at: "D’une heure",
		partition: "Partition", anyPartition: "Toutes les partitions", filter: "Filtrer clé, valeur, en-têtes", empty: "Aucun message ici", emptyWhy: "Choisissez un autre départ, ou attendez le prochain message.",
		none: "Aucun topic", noneWhy: "Un topic apparaît quand un connecteur capture une table ou qu’un client produit.", tail: "Suivre", stopTail: "Arrêter", headers: "En-têtes",
		before: "Avant", after: "Après", op: "Opération", truncated: "coupé", begin: "Premier offset", end: "Dernier offset", writer: "Écrit par", find: "Trouver un topic",
		ring: (n: number) => `Les ${plural(n, "dernier message est gardé", "derniers messages sont gardés")}`, source: "Défini par", cleanup: "Nettoyage", retention: "Rétention", binary: "binaire",
		createOp: "insertion", updateOp: "mise à jour", deleteOp: "suppression", readOp: "instantané", truncateOp: "vidage", field: "Colonne", raw: "Brut", older: "Plus anciens", newer: "Plus récents",
		waiting: "En attente de messages", unlimited: "sans limite",
	},
	group: {
		title: "Groupes de consommateurs", members: "Membres", lagRecords: "Retard", lagSeconds: "En temps", protocol: "Protocole", committed: "Validé", end: "Fin", member: "Membre",
		client: "Client", host: "Hôte", none: "Aucun groupe", noneWhy: "Un groupe apparaît quand un client le rejoint ou valide un offset.", records: (n: number) => plural(n, "message", "messages"),
		find: "Trouver un groupe", unassigned: "Personne ne la lit",
	},
	connector: {
		title: "Connecteurs", slot: "Slot", publication: "Publication", confirmed: "LSN confirmé", restart: "LSN de reprise", wal: "WAL retenu", walStatus: "État du WAL",
		lag: "Retard", lastEvent: "Dernier événement", events: "Événements", transactions: "Transactions", snapshot: "Instantané", tables: "Tables", trace: "Trace de l’erreur", config: "Configuration",
		warnings: "Avertissements", none: "Aucun connecteur", noneWhy: "Envoyez un fichier de connecteur à l’API Connect :", pause: "Suspendre", resume: "Reprendre", stop: "Arrêter", restartAct: "Redémarrer", asked: "Demandé",
		confirmedAct: "Confirmé", stopTitle: (n: string) => `Arrêter ${n} ?`, stopText: "La capture s’arrête jusqu’à la reprise. PostgreSQL garde le WAL à partir de son slot.", feeds: "Alimente", tasks: "Tâches",
		failedText: "Le connecteur est en échec",
	},
	job: {
		title: "Jobs", plan: "Plan", sql: "SQL", exceptions: "Exceptions", checkpoint: "Checkpoint", position: "Position", freshness: "Fraîcheur", read: "Lues", written: "Écrites",
		stateSize: "État gardé", targets: "Cibles", sources: "Sources", none: "Aucun job", noneWhy: "Soumettez-en un :", cancel: "Annuler le job", cancelTitle: (n: string) => `Annuler ${n} ?`,
		cancelText: (n: string) => `Le job se termine et son état est abandonné ; les tables gardent leurs lignes. Tapez ${n} pour confirmer.`, noExceptions: "Aucune exception", never: "jamais", kept: "lignes gardées",
		pause: "Suspendre", resume: "Reprendre", planLabel: (n: number) => `Plan de ${plural(n, "nœud", "nœuds")}`, reason: "Raison", committed: "Validé", rowsIn: "entrée", rowsOut: "sortie",
		confirmName: "Nom du job",
	},
	help: {
		title: "Raccourcis clavier", help: "Cette aide", search: "Rechercher dans la page", pause: "Suspendre ou reprendre", esc: "Fermer, quitter un champ", theme: "Thème suivant", goto: (p: string) => `Aller à ${p}`,
		create: "Nouvelle intervention", map: "Carte", list: "Tableau",
	},
	err: { title: "Le chargement a échoué", network: "Le serveur est injoignable", last: "Les dernières données restent affichées.", action: "Cela n’a pas fonctionné" },
} satisfies Dictionary;
