"""Names and words by which people and places are told apart, in English and Spanish. All in folded (lower) case."""

from __future__ import annotations


def word_list(text: str) -> list[str]:
    return text.split()


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def phrase_set(text: str) -> frozenset[str]:
    """Of phrases between commas."""
    return frozenset(" ".join(phrase.split()) for phrase in text.split(","))


FIRST_NAMES = word_set("""
    aaron abby abigail adam adrian agnes aidan alan albert alex alexander alexandra alfred alice alicia alison
    amanda amber amelia amy andrea andrew andy angela anita ann anna anne annie anthony antonia arthur ashley
    audrey austin barbara beatrice becky ben benjamin bernard beth betty bill billy bob bobby brad bradley
    brandon brenda brian bridget bruce caitlin callum cameron carl carla carmen carol caroline catherine cathy
    charles charlie charlotte chelsea cheryl chloe chris christian christina christine christopher cindy claire
    clara colin connor craig crystal cynthia daisy dan daniel daniela danny darren dave david dawn dean deborah
    debbie dennis derek diana diane dominic donald donna doris dorothy doug douglas duncan dylan edith edward
    eileen elaine eleanor elena eliza elizabeth ella ellen ellie emily emma eric erica erin ethan eva evan eve
    evelyn felix fiona florence frances francis frank fred freddie gabriel gareth gary gavin geoff george
    georgia gerald gerard gina glenn gordon grace graham greg gregory hannah harold harriet harry harvey hazel
    heather helen henry holly howard hugh hugo ian irene iris isaac isabel isabella isla ivan ivy jack jackie
    jackson jacob jake james jamie jane janet janice jasmine jason jean jeff jeffrey jen jennifer jenny jeremy
    jerry jess jesse jessica jill jim jimmy joan joanna joe joel john johnny jon jonathan jordan joseph josh
    joshua joyce juan judith judy julia julian julie june justin karen karl kate katherine kathleen kathryn
    kathy katie keith kelly ken kenneth kevin kim kirsty kyle larry laura lauren lawrence leah lee leo leon
    leonard lewis liam lily linda lisa liz lorraine louis louise lucas lucy luke lydia lynn madison maggie
    marcus margaret maria marian marianne marie marilyn marion mark martha martin mary mason matt matthew max
    maya megan mel melanie melissa mia michael michelle mike mildred miles mohammed molly monica muhammad nancy
    naomi natalie natasha nathan neil nicholas nick nicola nicole nina noah nora norman oliver olivia oscar owen
    paige pam pamela pat patricia patrick paul paula pauline peggy penny pete peter phil philip philippa phoebe
    phyllis polly priya rachel ralph ray raymond rebecca rhys richard rick rita rob robert robin roger roland
    ron ronald rory rosa rose rosemary rosie ross roy ruby russell ruth ryan sally sam samantha samuel sandra
    sara sarah scott sean sebastian seth shane shannon sharon sheila shirley simon sofia sonia sophia sophie
    stacey stan stanley stella stephanie stephen steve steven stuart sue susan suzanne sylvia tara ted teresa
    terry thea theo theodore theresa thomas tim timothy tina toby todd tom tommy tony tracy trevor tyler valerie
    vanessa vera veronica vicky victor victoria vincent violet virginia vivian walter wayne wendy will william
    yasmin yusuf zach zoe adela adrián agustín aitana alba alberto alejandra alejandro alfonso alfredo almudena
    álvaro amparo ana andrés ángel ángela ángeles antonio araceli arturo asunción aurora beatriz begoña belén
    benito bernardo blanca borja bruno camila carlos carlota carmela carolina catalina cecilia celia césar
    claudia concepción concha consuelo cristian cristina cristóbal diego dolores domingo eduardo elisa eloísa
    elvira emilia emilio encarna encarnación enrique ernesto esperanza esteban estela esther eugenia eugenio
    fátima federico felipe félix fernanda fernando fidel francisca francisco gabriela gema gerardo gloria
    gonzalo gregorio guadalupe guillermo gustavo héctor hernán ignacio inés inmaculada isidro ismael iván
    jacinto jaime javier jesús jimena joaquín jorge josé josefa josefina juana juanjo julián julio leonor
    leticia lola lorena lorenzo lourdes lucía luis luisa luz macarena magdalena manolo manuel manuela mar
    marcela marcelo marcos margarita maría mariana mariano marina mario marisa marisol marta martín mateo
    matilde matías mauricio mercedes miguel milagros miriam mónica montserrat natalia nicolás nieves noelia
    nuria olga óscar pablo paco paloma paqui pedro pepa pepe pilar rafa rafael ramiro ramón raquel raúl rebeca
    regina remedios ricardo roberto rocío rodrigo rogelio rosalía rosario rubén salvador santiago sebastián
    sergio silvia simón sofía sol soledad susana tomás trinidad valentina valeria vanesa verónica vicente víctor
    xavier ximena yolanda
""")

# First names that are ordinary words too: at the beginning of a sentence, or alone, they prove nothing.
ALSO_WORDS = word_set("""
    amber angel april art autumn bill bob carol charity christian daisy dawn dean drew eve faith frank grace
    hazel heather holly hope iris ivy jack june joy lily mark mason may max miles olive pat penny pete ray rich
    rob robin rose rosemary ruby sue summer victor violet will alba amparo ángel ángeles asunción aurora blanca
    concha consuelo cruz dolores domingo encarnación esperanza estela gloria luz mar mercedes milagros nieves
    paloma paz pilar remedios rocío rosa rosario sol soledad trinidad
""")

PLACES = phrase_set("""
    a coruña, albacete, alemania, alicante, almería, amsterdam, américa, andalucía, aragón, argelia, argentina,
    asturias, athens, auckland, austin, australia, austria, badajoz, barajas, barcelona, beijing, belfast,
    belgium, berlin, berlín, bilbao, birmingham, bogotá, bolivia, boston, brasil, brazil, brighton, bristol,
    britain, brooklyn, bruselas, brussels, budapest, buenos aires, burgos, california, cambridge, canada,
    canarias, cantabria, caracas, cardiff, cartagena, castellón, cataluña, chicago, chile, china, ciudad de
    méxico, colombia, copenhagen, cornwall, costa rica, croatia, cuba, cuenca, cáceres, cádiz, córdoba, dallas,
    denmark, denver, detroit, dubai, dublin, ecuador, edinburgh, egypt, el salvador, england, escocia, españa,
    estados unidos, europa, europe, extremadura, finland, florence, florencia, florida, france, francia,
    frankfurt, galicia, geneva, georgia, germany, gijón, girona, glasgow, granada, grecia, greece, guadalajara,
    guatemala, hamburg, hawaii, helsinki, holanda, honduras, hong kong, houston, huelva, hungary, ibiza,
    iceland, india, inglaterra, ireland, irlanda, istanbul, italia, italy, japan, japón, jaén, jerez, kenya,
    kyoto, la habana, la rioja, las vegas, leeds, león, lima, lisboa, lisbon, liverpool, logroño, london,
    londres, los angeles, lugo, lyon, madrid, mallorca, manchester, manhattan, marbella, marruecos, marseille,
    melbourne, menorca, mexico, mexico city, miami, milan, milán, monterrey, montevideo, montreal, morocco,
    moscow, munich, murcia, málaga, mérida, méxico, naples, navarra, netherlands, new york, new zealand, norway,
    nueva york, oporto, orense, oslo, oviedo, oxford, palencia, palma, pamplona, panamá, paraguay, paris, país
    vasco, peru, perú, philadelphia, poland, pontevedra, portland, porto, portugal, prague, puerto rico, quito,
    roma, rome, rosario, salamanca, san diego, san francisco, san sebastián, santander, santiago, santiago de
    compostela, scotland, seattle, segovia, seoul, sevilla, sicilia, sicily, singapore, soria, spain, stockholm,
    suiza, sweden, switzerland, sydney, tarragona, tenerife, teruel, texas, tokio, tokyo, toledo, toronto,
    turkey, turquía, tuscany, ukraine, united kingdom, united states, uruguay, valencia, valladolid, vancouver,
    venecia, venezuela, venice, viena, vienna, vigo, vitoria, wales, warsaw, washington, yorkshire, zamora,
    zaragoza, zurich, ávila
""")

# "Hyde Park", "calle Mayor": the word that makes a name a place.
PLACE_WORDS_AFTER = word_set("""
    street road avenue lane square park station airport hotel hospital café cafe school university college
    library museum bridge beach lake river island mountain mountains valley castle church cathedral market
    stadium theatre theater mall centre center bay city county hall gardens restaurant bakery
""")
PLACE_WORDS_BEFORE = word_set("""
    lake mount calle plaza avenida paseo parque estación aeropuerto hotel hospital colegio universidad
    biblioteca museo puente playa lago río isla monte sierra valle castillo iglesia catedral mercado estadio
    teatro puerto barrio restaurante ciudad pueblo
""")

# Capitalized, and neither a person nor a place.
NOT_NAMES = word_set("""
    i i'm i'll i've i'd monday tuesday wednesday thursday friday saturday sunday january
    february march april may june july august september october november december mondays tuesdays wednesdays
    thursdays fridays saturdays sundays english spanish french german italian portuguese chinese japanese
    russian american british european african asian irish scottish dutch greek latin arabic christmas easter
    halloween thanksgiving ramadan hanukkah god jesus bible internet okay tv dvd cd pdf usb gps atm ceo hr it pc
    ai api app wifi wi-fi google amazon apple microsoft netflix facebook instagram twitter youtube whatsapp
    telegram zoom skype slack teams excel word powerpoint outlook gmail spotify uber airbnb linkedin tiktok
    python java javascript linux windows android iphone ipad mac django github ikea tesco walmart costco
    starbucks mcdonald's visa paypal bitcoin covid lego nike sony samsung toyota ford bmw tesla ryanair iberia
    renfe lunes martes miércoles jueves viernes sábado domingo enero febrero marzo abril mayo junio julio agosto
    septiembre octubre noviembre diciembre navidad navidades nochebuena nochevieja reyes dios biblia inglés
    español francés alemán correos hacienda mercadona carrefour zara el la los las un una en de a y
""")

TITLES = word_set("""
    mr mrs ms miss mister dr doctor prof professor sir lady señor señora señorita sr sra srta don doña doctora
    dra profesor profesora padre
""")
KIN = word_set("""
    mother father mom mum dad brother sister wife husband son daughter grandmother grandfather grandma grandpa
    aunt uncle cousin nephew niece boyfriend girlfriend partner boss friend neighbour neighbor colleague madre
    padre mamá papá hermano hermana mujer marido esposa esposo hijo hija abuela abuelo tía tío primo prima
    sobrino sobrina novio novia suegra suegro cuñado cuñada jefe jefa amigo amiga vecino vecina compañero
    compañera
""")
POSSESSIVES = word_set("""
    my our mi nuestro nuestra
""")

# Words right before a name that say what it is.
PERSON_BEFORE = word_set("""
    with call called calling ask asked meet met meeting tell told email emailed text texted thank invite invited
    remind named con
""")
# "llamar a Marta", "hablé con Luis": words two before the name, with "a", "to" or "con" between.
PERSON_BEFORE_TO = word_set("""
    talk talked talking speak spoke speaking write wrote said listen listened llamar llamé llamamos llama avisar
    avisé preguntar pregunté pedir pedí escribir escribí invitar invité ver vi vimos visitar visité decir dije
    decirle preguntarle pedirle avisarle escribirle ayudar acompañar conocí recoger felicitar esperar
""")
PERSON_AFTER = word_set("""
    said says told asked asks called thinks thought wants wanted agreed suggested promised wrote explained
    invited dijo dice llamó quiere quería preguntó pidió escribió piensa prometió explicó cree invitó
""")
PLACE_BEFORE = word_set("""
    in near around visit visiting en
""")
PLACE_BEFORE_IF_KNOWN = word_set("""
    to at from into towards through for of a de desde hasta por hacia para
""")
MOTION = word_set("""
    go going goes went gone travel travelled traveled travelling drive drove driving fly flew flying move moved
    moving trip back train flight bus flights tickets way come came get got return returned ir voy vamos van iré
    iremos fui fuimos viaje viajar viajamos volver volvemos volví llegar llegamos llegué mudar mudarme mudamos
    tren vuelo vuelos billete billetes autobús excursión ido
""")
